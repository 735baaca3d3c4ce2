"""The pages of models and SAEs over HTTP: what they show, start and refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from dash import Dash
from dash._get_app import app_context

from components.amounts import bytes_text
from pages.context import container_of, services
from pages.entry_code import addition, sae_code
from pages.form import sae_options, usual_choice, verdict_notes
from pages.registry_filters import SaeFilters
from pages.typed import place_in, repository
from services.demo import ARTEFACTS
from services.errors import Unavailable
from services.lm.memory import sae_bytes
from services.registry.index import Index
from services.registry.requests import AddSaes
from services.registry.service import Registry
from services.settings import Settings
from services.types import TaskStatus, Verdict
from tests.pages.dash_client import Client
from tests.pages.test_layouts import BAD_QUERIES, show
from tests.unit.components.made import HOSTILE
from tests.unit.components.made_registry import make_info, make_sae

DEMO, SAE = "actiscope-demo", "demo-l1-res"


@pytest.fixture
def registry(app: Dash) -> Registry:
    return container_of(app).registry


@pytest.fixture
def folder(settings: Settings) -> Path:
    """An SAE below the data folder, to be added."""
    place = settings.home / "import" / "harbour"
    shutil.copytree(ARTEFACTS / "saes" / SAE, place)
    return place


def spec_of(client: Client, first_input: str) -> dict[str, Any]:
    """The callback whose first input contains the text."""
    found = [s for s in client.specs if s["inputs"] and first_input in s["inputs"][0]["id"]]
    server = [s for s in found if not s["clientside_function"]]
    assert len(server) == 1, [s["output"] for s in server]
    return server[0]


def press(client: Client, do: str, kind: str = "saes", name: str = SAE) -> Any:
    """The answer to a press of one of the buttons of a model or SAE."""
    spec = spec_of(client, "entry-action")
    id = {"type": "entry-action", "kind": kind, "entry": name, "do": do}
    text = json.dumps(id, sort_keys=True, separators=(",", ":"))
    body = {
        "output": spec["output"],
        "outputs": client._outputs(spec["output"]),
        "inputs": [[{"id": id, "property": "n_clicks", "value": 1}]],
        "state": client._items(spec["state"], []),
        "changedPropIds": [f"{text}.n_clicks"],
    }
    return client.http.post(
        "/_dash-update-component",
        query_string={"endId": client.end_id},
        json=body,
        base_url="http://localhost",
    )


def content(client: Client, id: str, *inputs: Any) -> str:
    """The children that the callback gives to the component."""
    return json.dumps(client.post(client.spec(f"{id}.children"), [*inputs]).get_json())


@pytest.mark.parametrize("path", ["/saes", "/sae", "/saes/add", "/models"])
@pytest.mark.parametrize(
    "query",
    [*BAD_QUERIES, "?id=" + "x" * 5000, "?id=../../etc", "?verdict=x&source=y&deleted=maybe",
     "?task=%00", "?q=" + "y" * 900, "?id=%3Cscript%3E&task=%3Cscript%3E"],
)  # fmt: skip
def test_no_query_string_breaks_a_page(shared_client: Client, path: str, query: str) -> None:
    answer = show(shared_client, path, query)
    assert answer.status_code == 200
    assert "sideUpdate" not in answer.get_json(), "an error was reported"


def test_the_list_shows_the_demo_and_filters_it(client: Client) -> None:
    spec = client.spec("saes-items.children")

    def listed(**filters: Any) -> str:
        return client.post(spec, [filters, None]).text

    assert "demo-l1-res" in listed()
    assert "demo-l2-res" not in listed(text="l1-res")
    assert "No SAE passes" in listed(model="gpt2")
    assert "No SAE passes" in listed(source="huggingface")


def test_without_a_database_the_pages_stand_and_say_why(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise Unavailable("the database is away")

    monkeypatch.setattr(Index, "known", away)
    for path in ("/saes", "/saes/add", f"/sae?id={SAE}", "/models"):
        answer = show(client, *path.partition("?")[::2]).get_json()
        assert "sideUpdate" not in answer, path
    slots = (("saes-items", "saes-error"), ("models-content", "models-error"))
    for id, slot in slots:
        side = client.post(client.spec(f"{id}.children"), [None, {}]).get_json()["sideUpdate"]
        assert "the database is away" in json.dumps(side[slot])


def test_filters_that_make_no_sense_are_dropped() -> None:
    filters = SaeFilters.parse({"verdict": "fine", "source": "moon", "text": " a ", "deleted": "1"})
    assert filters.as_data() == {"text": "a", "deleted": True}
    assert filters.query().include_deleted


def test_a_name_that_nobody_has_is_an_error_on_the_page(client: Client) -> None:
    for id, slot in (("sae-content", "sae-error"), ("models-content", "models-error")):
        side = client.post(client.spec(f"{id}.children"), ["nobody"]).get_json()["sideUpdate"]
        assert "nobody" in json.dumps(side[slot])


def test_measuring_is_followed_to_its_verdict(client: Client, registry: Registry) -> None:
    task_id = press(client, "measure").get_json()["response"]["task-id"]["data"]
    task = registry.wait(task_id, 120)
    assert task.status is TaskStatus.SUCCEEDED, task
    spec = client.spec("task-box.children")
    shown = client.post(spec, [task_id, 1]).get_json()["response"]
    assert shown["task-ended"]["data"] == task_id
    assert shown["task-tick"]["disabled"] is True
    verdict = registry.sae(SAE).info.verdict
    assert verdict is not None
    assert str(verdict).capitalize() in json.dumps(shown["task-box"])
    page = content(client, "sae-content", SAE, task_id)
    for said in ("sae-figure-0", "Explained variance", "Measured on", "Measure again", "d_sae"):
        assert said in page
    form = json.dumps(show(client, "/", f"?sae={SAE}").get_json())
    assert f"{SAE} \\u00b7 layer 1 \\u00b7 {verdict}" in form


def test_a_task_under_way_keeps_the_page_asking(client: Client, registry: Registry) -> None:
    task_id = press(client, "measure").get_json()["response"]["task-id"]["data"]
    shown = client.post(client.spec("task-box.children"), [task_id, 1]).get_json()["response"]
    if registry.task(task_id).status.is_final:
        pytest.skip("it ended before it was looked at")
    assert shown["task-tick"]["disabled"] is False
    assert "task-ended" not in shown
    client.post(spec_of(client, "task-cancel"), [1], [task_id])
    assert registry.wait(task_id, 60).status.is_final


def test_a_task_that_is_gone_is_explained_and_asked_for_no_more(client: Client) -> None:
    shown = client.post(client.spec("task-box.children"), ["gone", 1]).get_json()["response"]
    assert "tasks end with the server" in json.dumps(shown["task-box"])
    assert shown["task-tick"]["disabled"] is True


def test_deleting_asks_then_deletes_and_can_be_undone(client: Client, registry: Registry) -> None:
    doomed = press(client, "delete").get_json()["response"]["entry-doomed"]["data"]
    assert doomed == {"kind": "saes", "id": SAE}
    asked = client.post(client.spec("entry-question.children"), [doomed]).get_json()["response"]
    assert asked["entry-modal"]["opened"] is True
    assert "can be restored" in json.dumps(asked)
    client.post(spec_of(client, '"name":"entry-modal","type":"confirm"'), [1], [doomed, False])
    assert SAE not in [card.info.sae_id for card in registry.saes()]
    assert SAE not in json.dumps(show(client, "/", "").get_json()), "the picker offers it no more"
    assert "Restore" in content(client, "sae-content", SAE)
    press(client, "restore")
    assert SAE in [card.info.sae_id for card in registry.saes()]


def test_a_refusal_stands_in_the_dialog(client: Client, registry: Registry) -> None:
    doomed = {"kind": "models", "id": DEMO}
    spec = spec_of(client, '"name":"entry-modal","type":"confirm"')
    side = client.post(spec, [1], [doomed, True]).get_json()["sideUpdate"]
    assert "default model" in json.dumps(side["entry-modal-error"])
    assert DEMO in [card.info.model_id for card in registry.models()]


def test_a_model_is_loaded_and_unloaded(client: Client, registry: Registry) -> None:
    task_id = press(client, "load", "models", DEMO).get_json()["response"]["task-id"]["data"]
    assert registry.wait(task_id, 120).status is TaskStatus.SUCCEEDED
    assert registry.model(DEMO).is_resident
    assert "Unload" in content(client, "models-content", None, {}, task_id)
    press(client, "unload", "models", DEMO)
    assert not registry.model(DEMO).is_resident


def look(client: Client, source: str, where: str) -> Any:
    """The answer to looking at a place."""

    def of(part: str, name: str, value: Any = None) -> dict[str, Any]:
        return {"id": {"source": source, "type": f"add-{part}"}, "property": name, "value": value}

    button = of("look", "id")
    body = {
        "output": spec_of(client, "add-asked")["output"],
        "outputs": [of("found", "children"), of("looked", "data")],
        "inputs": [of("asked", "data", 1)],
        "state": [of("where", "value", where), of("revision", "value", ""),
                  {**button, "value": button["id"]},
                  {"id": "add-error", "property": "children", "value": None}],
        "changedPropIds": [f'{{"source":"{source}","type":"add-asked"}}.data'],
    }  # fmt: skip
    return client.http.post(
        "/_dash-update-component",
        query_string={"endId": client.end_id},
        json=body,
        base_url="http://localhost",
    ).get_json()


def test_a_folder_is_looked_at(client: Client, folder: Path) -> None:
    answer = look(client, "local", str(folder.parent))
    assert "harbour" in json.dumps(answer["response"])
    stored = [v["data"] for v in answer["response"].values() if "data" in v]
    assert stored == [{"request": {"source": "local", "path": str(folder.parent)},
                       "paths": ["harbour"]}]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "said"), [("", "no folder is named"), ("/etc", "ACTISCOPE_LOCAL_ROOTS"), ("x", "x")]
)
def test_a_wrong_place_says_what_is_wrong(client: Client, where: str, said: str) -> None:
    assert said in json.dumps(look(client, "local", where)["sideUpdate"]["add-error"])


@pytest.mark.parametrize("where", ["", "../x", "https://elsewhere/owner/name", "<b>", "x" * 5000])
def test_what_is_no_repository_is_told_how_to_write_one(client: Client, where: str) -> None:
    answers = (
        look(client, "huggingface", where)["sideUpdate"]["add-error"],
        client.post(spec_of(client, "models-asked-repo"), [1], [where, ""]).get_json()[
            "sideUpdate"
        ]["models-add-error"],
    )
    for answer in answers:
        assert "owner/name" in json.dumps(answer)


def test_text_leads_to_a_folder_or_a_repository(app: Dash) -> None:
    with app.server.app_context():
        app_context.set(app)
        endpoint = services().settings.hub_endpoint
        for written in (
            "owner/name",
            f"{endpoint}/owner/name/",
            f"{endpoint}/owner/name/tree/main",
        ):
            assert repository(written) == "owner/name"
        assert place_in("/some/where") == "local"
        assert place_in("owner/name") == "huggingface"
        assert [place_in(text) for text in ("gpt2", "a b/c", "../x", "x/y/z")] == [None] * 4


def test_a_folder_typed_into_the_search_is_looked_into(client: Client, folder: Path) -> None:
    spec = client.spec("add-tabs.value")
    answer = client.post(spec, [5], [str(folder)]).get_json()["response"]
    assert answer["add-tabs"]["value"] == "local"
    assert {"value": str(folder)} in answer.values()
    assert {"data": 5} in answer.values()
    for known in ("gpt2-small", "layer_12/width_16k"):
        assert client.post(spec, [5], [known]).status_code == 204


def test_the_unmeasured_are_listed_until_they_are_measured(
    client: Client, registry: Registry
) -> None:
    spec = client.spec("saes-items.children")
    looked = client.spec("saes-stamp.data")
    assert SAE in client.post(spec, [{"verdict": "unmeasured"}, None]).text
    assert client.post(looked, [1], [""]).status_code == 204, "nothing is under way"
    task_id = press(client, "measure").get_json()["response"]["task-id"]["data"]
    begun = client.post(looked, [2], [""]).get_json()["response"]["saes-stamp"]["data"]
    registry.wait(task_id, 120)
    ended = client.post(looked, [3], [""]).get_json()["response"]["saes-stamp"]["data"]
    assert task_id in begun
    assert client.post(looked, [4], [ended]).status_code == 204
    listed = client.post(spec, [{"verdict": "unmeasured"}, None, ended]).text
    assert SAE not in listed
    assert "demo-l2-res" in listed


def test_memory_counts_what_is_loaded_of_both_kinds(client: Client, registry: Registry) -> None:
    assert "Nothing is loaded" in content(client, "models-content", None, {})
    task_id = press(client, "measure").get_json()["response"]["task-id"]["data"]
    registry.wait(task_id, 120)
    used = registry.model(DEMO).memory_bytes + sae_bytes(registry.sae(SAE).info)
    shown = content(client, "models-content", None, {})
    assert f"Loaded: {DEMO}, 1 SAE, about {bytes_text(used)} of" in shown


def test_a_search_gives_what_the_catalogue_knows(client: Client, registry: Registry) -> None:
    spec = client.spec("add-results.items")
    answer = client.post(spec, ["gemma-2-2b layer 12 16k"]).get_json()["response"]["add-results"]
    found = registry.search("gemma-2-2b layer 12 16k", limit=20)
    assert [(i["release"], i["sae"]) for i in answer["items"]] == [
        (entry.release, entry.sae_id) for entry in found.items
    ]
    assert answer["note"].startswith(f"{found.total:,} found")
    empty = client.post(spec, ["  "]).get_json()["response"]["add-results"]
    assert empty["items"] == []


@pytest.mark.parametrize("chosen", [{"release": "nope", "sae": "nope"}, {"release": 1}, {}])
def test_an_entry_that_is_not_in_the_catalogue_is_refused(client: Client, chosen: Any) -> None:
    spec = spec_of(client, "add-results")
    side = client.post(spec, [chosen], [None]).get_json()["sideUpdate"]
    assert "add-error" in side


def test_the_usual_choice_leaves_broken_ones_out_and_is_not_too_long() -> None:
    saes = [make_info(Verdict.BROKEN, 0), *(make_info(None, i) for i in range(1, 10))]
    chosen = usual_choice(saes)
    assert saes[0].sae_id not in chosen
    assert 0 < len(chosen) < len(saes)
    assert "broken" in sae_options(saes)[0]["label"]
    assert len(verdict_notes(saes, [saes[0].sae_id, saes[1].sae_id])) == 1
    assert verdict_notes(saes, None) == []


def test_an_sae_as_code_adds_it_again() -> None:
    card = make_sae()
    request = AddSaes.parse(addition(card))
    assert (request.repo_id, request.paths) == (card.repo_id, (card.repo_path,))
    assert addition(make_sae(repo_id=None)) is None
    texts = {key: text for key, _, text in sae_code(card, "http://127.0.0.1:8050")}
    assert "actiscope sae preflight demo-l1-res" in texts["cli"]
    assert "--path layer_1/width_2k" in texts["cli"]
    assert json.dumps(addition(card)) in texts["curl"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_one_word_of_the_command_line(name: str) -> None:
    import shlex

    card = make_sae(info=make_info(sae_id=name), repo_id=None)
    texts = {key: text for key, _, text in sae_code(card, "http://127.0.0.1:8050")}
    assert shlex.split(texts["cli"])[:4] == ["actiscope", "sae", "show", name]
