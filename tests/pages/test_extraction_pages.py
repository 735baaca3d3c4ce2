"""The pages of extractions over HTTP: what they start, show, refuse."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from dash import Dash
from dash._get_app import app_context
from dash.exceptions import PreventUpdate

from app import create_app
from pages import (
    extraction,
    extraction_actions,
    extraction_features,
    extractions,
    new_extraction,
    pick_saes,
)
from pages.context import container_of
from pages.extraction_code import extraction_code
from pages.extraction_form import request_of
from pages.extraction_state import ExtractionFilters, FeatureState, Prefilled
from pages.pick_saes import prefilled
from services.errors import InvalidArgument
from services.extraction.requests import StartExtraction
from services.settings import Settings
from services.types import ExtractionView, JobStatus
from tests.pages.dash_client import Client
from tests.pages.test_layouts import BAD_QUERIES, show
from tests.unit.components.made_extractions import make_extraction

SAES = ("demo-l1-res", "demo-l2-res")
CHOSEN = {"saes": [SAES[0]], "model": "actiscope-demo"}
OPTIONS = {"corpus": "demo", "max_tokens": 1500, "skip_bos": True, "skip_special": True}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """One app for all, with its jobs worked on."""
    home = tmp_path_factory.mktemp("extractions")
    made = create_app(Settings(home=home, preload=False, device="cpu", _env_file=None))
    yield made
    container_of(made).close()


@pytest.fixture(scope="module")
def done(served: Dash) -> tuple[ExtractionView, ...]:
    """Two finished extractions of one job, newest first."""
    container = container_of(served)
    request = request_of({**CHOSEN, "saes": [*SAES]}, OPTIONS)
    assert request is not None
    started = container.extractions.start(request)
    assert started[0].job_id is not None
    job = container.jobs.wait(started[0].job_id, 120)
    assert job.status is JobStatus.SUCCEEDED, job.error_message
    return tuple(container.extractions.get(one.extraction_id) for one in started)


@pytest.fixture
def client(served: Dash) -> Client:
    return Client(served)


@pytest.fixture
def in_app(served: Dash) -> Iterator[None]:
    """As within a request: callbacks are plain functions then."""
    with served.server.app_context():
        app_context.set(served)
        yield


def text_of(component: Any) -> str:
    """The component as the browser receives it."""
    return json.dumps(component, default=lambda c: c.to_plotly_json(), ensure_ascii=False)


@pytest.mark.parametrize("path", ["/extractions", "/extraction", "/extractions/new"])
@pytest.mark.parametrize(
    "query",
    [*BAD_QUERIES, "?id=" + "x" * 5000, "?id=../../etc", "?sae=a&sae=b&corpus=%00",
     "?sae=demo-l1-res&sae=nobody&corpus=nothing", "?job=zzz&status=lost", "?id=nobody&feature=-3",
     "?sort=';drop&page=0&up=maybe"],
)  # fmt: skip
def test_no_query_string_breaks_a_page(shared_client: Client, path: str, query: str) -> None:
    answer = show(shared_client, path, query)
    assert answer.status_code == 200
    assert "sideUpdate" not in answer.get_json(), "an error was reported"


def test_filters_that_make_no_sense_are_dropped() -> None:
    wrong = {"status": "lost", "sae": "x" * 500, "corpus": "A/B", "job": "x", "model": ""}
    assert ExtractionFilters.parse(wrong).as_data() == {}
    assert ExtractionFilters.parse({"status": "failed"}).query().status is JobStatus.FAILED
    assert FeatureState.parse({"feature": "7", "page": "0", "sort": "A"}).as_data() == {
        "feature": 7
    }
    assert Prefilled.parse({"sae": "a"}).sae == ("a",)
    assert Prefilled.parse({"sae": ["b", "a", "b"]}).sae == ("b", "a")


def test_the_form_is_a_request_once_an_sae_and_a_corpus_are_chosen() -> None:
    for chosen, options in ((None, None), (CHOSEN, {}), ({"saes": []}, OPTIONS), ("x", ["y"])):
        assert request_of(chosen, options) is None
    request = request_of(
        CHOSEN,
        {"corpus": "demo", "context": 64, "stride": 32, "policy": "documents", "bos": "never",
         "sample_seed": 0, "max_tokens": 10, "precision": "float32", "metadata": ["kind"],
         "skip_special": True, "batch_tokens": 4096},
        "key",
    )  # fmt: skip
    assert request == StartExtraction.parse(
        {
            "sae_ids": [SAES[0]], "corpus_id": "demo", "max_tokens": 10, "sample_seed": 0,
            "packing": {"context": 64, "stride": 32, "policy": "documents", "bos": "never"},
            "skip": ["special"], "precision": "float32", "metadata": ["kind"],
            "batch_tokens": 4096, "request_key": "key",
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    "wrong", [{"context": 1}, {"max_tokens": -1}, {"stride": "x"}, {"bos": "often"}]
)
def test_an_option_without_a_possible_value_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(wrong))):
        request_of(CHOSEN, OPTIONS | wrong)


@pytest.mark.usefixtures("in_app")
def test_a_link_chooses_saes_of_one_model() -> None:
    assert prefilled(("nobody", *SAES))["model"] == "actiscope-demo"
    assert prefilled(SAES)["saes"] == [*SAES]
    assert prefilled(()) == {"saes": [], "model": None}


@pytest.mark.usefixtures("in_app")
def test_saes_of_another_model_cannot_join() -> None:
    rows = text_of(pick_saes.show({}, None, {"saes": ["x"], "model": "gpt2"})[0])
    assert rows.count('"disabled": true') == len(SAES)
    rows = text_of(pick_saes.show({}, None, CHOSEN)[0])
    assert '"disabled": true' not in rows
    assert rows.count('"checked": true') == 1
    full = {"saes": [f"s{i}" for i in range(50)], "model": "actiscope-demo"}
    assert text_of(pick_saes.show({}, None, full)[0]).count('"disabled": true') == len(SAES)


@pytest.mark.usefixtures("in_app")
def test_the_list_of_saes_is_filtered() -> None:
    for filters in ({"text": "l2"}, {"hook": "blocks.2.hook_resid_post"}):
        rows = text_of(pick_saes.show(filters, None, None)[0])
        assert SAES[1] in rows
        assert SAES[0] not in rows
    assert "No SAE passes" in text_of(pick_saes.show({"source": "catalogue"}, None, None)[0])


@pytest.mark.usefixtures("in_app")
def test_the_estimate_is_there_before_the_start() -> None:
    asked, is_disabled = new_extraction.estimate(None, None)
    assert is_disabled
    assert "Choose at least one SAE" in text_of(asked)
    shown, is_disabled = new_extraction.estimate(CHOSEN, OPTIONS)
    assert not is_disabled
    for said in ("Tokens, about", "Memory", "Disk while it merges", "1,500"):
        assert said in text_of(shown)


def test_what_cannot_be_estimated_says_why_and_cannot_be_started(client: Client) -> None:
    spec = client.spec("new-estimate.children")
    answer = client.post(spec, [CHOSEN, OPTIONS | {"context": 10_000_000}]).get_json()
    assert "context" in json.dumps(answer["sideUpdate"]["new-estimate-error"])
    assert answer["sideUpdate"]["new-start"] == {"disabled": True}
    nobody = client.post(spec, [{"saes": ["nobody"], "model": None}, OPTIONS]).get_json()
    assert "nobody" in json.dumps(nobody["sideUpdate"]["new-estimate-error"])


def test_starting_leads_to_the_extraction_and_a_second_press_to_the_same(client: Client) -> None:
    spec = next(s for s in client.specs if s["inputs"][0]["id"] == "new-submission")
    submission = {"chosen": CHOSEN, "options": OPTIONS | {"max_tokens": 20}, "key": "ab" * 16}
    first, second = (
        client.post(spec, [submission]).get_json()["response"]["shell-location"] for _ in range(2)
    )
    assert first == second
    assert first["href"].startswith("/extraction?id=ext_sae_demo-l1-res_")


def test_the_list_shows_all_of_a_job_and_filters(
    client: Client, done: tuple[ExtractionView, ...]
) -> None:
    spec = client.spec("extractions-summary.children...extractions-cursor")

    def listed(**filters: Any) -> str:
        return client.post(spec, [filters]).text

    for one in done:
        assert one.extraction_id in listed(job=done[0].job_id)
    assert done[1].extraction_id not in listed(sae=SAES[0])
    assert "No extraction passes" in listed(status="failed")
    assert "Local" in listed(corpus="demo")


@pytest.mark.usefixtures("in_app")
def test_one_that_was_started_elsewhere_is_put_above_the_others(
    served: Dash, done: tuple[ExtractionView, ...]
) -> None:
    listed = container_of(served).extractions.list(ExtractionFilters().query()).items
    assert len(listed) >= len(done)
    newest, *others = ({"extraction": one.extraction_id} for one in listed)
    items, nothing, active = extractions.notice(1, {}, others, ["x"])
    added = text_of(items.to_plotly_json())
    assert added.count('"operation": "Prepend"') == 1
    assert newest["extraction"] in added
    assert nothing is None
    assert active[-1] == "x"
    with pytest.raises(PreventUpdate):
        extractions.notice(1, {}, [newest, *others], [])
    everything = text_of(extractions.notice(1, {}, [], None)[0].to_plotly_json())
    assert everything.count('"operation": "Prepend"') == len(listed)


@pytest.mark.usefixtures("in_app")
def test_the_page_shows_what_came_out(done: tuple[ExtractionView, ...]) -> None:
    name = done[0].extraction_id
    head, is_still, stamp, style, *figures, _ = extraction.follow(name, 1, None, None, "dark")
    assert is_still
    assert style == {}
    assert all(len(figure.data[0].y) for figure in figures)
    assert "1,500" in text_of(head)
    facts = text_of(extraction.describe(stamp, {"feature": 3}))
    for said in (SAES[1], "store.feature(3)", "Features as CSV", "actiscope extract", "--sae"):
        assert said in facts


@pytest.mark.usefixtures("in_app")
def test_its_features_are_listed_in_order_and_shown_with_examples(
    served: Dash, done: tuple[ExtractionView, ...]
) -> None:
    stamp = {"id": done[0].extraction_id}
    store = container_of(served).stores.open(stamp["id"])
    strongest = int(np.nanargmax(store.statistics_table(["max"])["max"].to_numpy()))
    table, place, no_back, no_next, style = extraction_features.show_table(stamp, {})
    assert f"#{strongest}" in text_of(table)
    assert place.startswith("1 to 20 of ")
    assert (no_back, no_next, style) == (True, False, {})
    panel = text_of(extraction_features.show_feature(stamp, {"feature": strongest}, "light"))
    assert f"Feature {strongest}" in panel
    assert "Strongest examples" in panel
    assert "Mark" in panel
    last = extraction_features.show_table(stamp, {"sort": "rare", "page": 2})
    assert last[1].startswith("21 to 40")


def test_a_feature_that_is_not_there_is_an_error_in_its_panel(
    client: Client, done: tuple[ExtractionView, ...]
) -> None:
    spec = client.spec("extraction-feature.children")
    stamp = {"id": done[0].extraction_id}
    side = client.post(spec, [stamp, {"feature": 10**6}]).get_json()["sideUpdate"]
    assert "1000000" in json.dumps(side["extraction-feature-error"]).replace(",", "")


def test_an_extraction_that_is_gone_is_asked_for_no_more(client: Client) -> None:
    answer = client.post(client.spec("extraction-head.children"), ["nobody"]).get_json()
    assert "nobody" in json.dumps(answer["sideUpdate"]["extraction-error"])
    assert answer["sideUpdate"]["extraction-tick"] == {"disabled": True}


def test_the_table_of_features_comes_as_csv(
    client: Client, served: Dash, done: tuple[ExtractionView, ...]
) -> None:
    name = done[0].extraction_id
    url = f"/api/v1/stores/{name}/features?format=csv"
    rows = list(csv.DictReader(io.StringIO(client.http.get(url, base_url="http://localhost").text)))
    table = container_of(served).stores.open(name).statistics_table(["feature", "n", "max"])
    assert [int(row["feature"]) for row in rows] == table["feature"].to_pylist()
    assert [int(row["n"]) for row in rows] == table["n"].to_pylist()
    assert [float(row["max"]) if row["max"] else None for row in rows] == table["max"].to_pylist()


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        (JobStatus.QUEUED, ["cancel"]), (JobStatus.RUNNING, ["cancel"]),
        (JobStatus.SUCCEEDED, ["remove"]), (JobStatus.FAILED, ["retry", "remove"]),
        (JobStatus.CANCELLED, ["retry", "remove"]),
    ],
)  # fmt: skip
def test_only_what_can_be_done_is_offered(status: JobStatus, offered: list[str]) -> None:
    made = extraction_actions.buttons(make_extraction(status))
    assert [button.id["do"] for button in made] == offered


def test_removing_asks_first(client: Client, done: tuple[ExtractionView, ...]) -> None:
    asked = {"do": "remove", "id": done[1].extraction_id}
    spec = client.spec("extraction-question.children")
    shown = client.post(spec, [asked]).get_json()["response"]
    assert shown["extraction-modal"]["opened"] is True
    assert "for good" in json.dumps(shown)
    assert client.post(spec, [{"do": "format", "id": "x"}]).status_code == 204


def test_code_says_how_to_read_and_how_to_do_it_again() -> None:
    view = make_extraction(JobStatus.SUCCEEDED, config={"max_tokens": 9, "sample_seed": None})
    code = {key: text for key, _, text in extraction_code(view, "/place", "http://here", None)}
    assert "ActivationStore.open('/place')" in code["python"]
    compile(code["python"], "python", "exec")
    assert f"http://here/api/v1/stores/{view.extraction_id}/activations/0/arrow" in code["curl"]
    assert "--sae demo-l1-res --corpus demo --max-tokens 9\n" in code["cli"]
