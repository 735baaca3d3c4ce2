"""The callbacks of labels: the editor of a feature, the queue, history, files, and runs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app import create_app
from pages import draw, playground
from pages.context import container_of
from pages.label_ids import FeatureRuns, LabelFiles, Labels, LabelsPage, Queue
from pages.view import View
from services.container import Container
from services.labels.requests import AddLabel, BulkEdit
from services.runs.queries import TopQuery
from services.runs.request import RunRequest
from services.settings import Settings
from tests.pages.dash_client import Client

SAE = "demo-l1-res"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One app; each test has features of its own."""
    home = tmp_path_factory.mktemp("labels")
    made = create_app(Settings(home=home, preload=False, device="cpu", _env_file=None))
    yield Client(made)
    container_of(made).close()


@pytest.fixture
def container(client: Client) -> Container:
    return container_of(client.app)


def place(feature: int) -> dict[str, Any]:
    return {"sae": SAE, "feature": feature}


def form(at: str, **given: Any) -> list[tuple[dict[str, Any], Any]]:
    """The fields of a form as the browser sends them."""
    values = {"text": "", "category": "", "confidence": "", "notes": "", **given}
    return [({"type": "label-field", "at": at, "name": n}, v) for n, v in values.items()]


def call(client: Client, part: str, pressed: Any, values: dict[str, Any]) -> Any:
    """The answer of the callback with `part` in its outputs that `pressed` triggers.

    `values` by id; of a pattern by its type: (id, value) of each component. `pressed`: an id.
    """
    wanted = pressed if isinstance(pressed, str) else pressed["type"]
    spec = next(
        s for s in client.specs
        if part in s["output"] and any(wanted in i["id"] for i in s["inputs"])
        and not s["clientside_function"]
    )  # fmt: skip

    def filled(item: dict[str, Any]) -> Any:
        if not item["id"].startswith("{"):
            given = values.get(item["id"], 1 if item["id"] == pressed else None)
            return {**item, "value": given}
        kind = json.loads(item["id"])
        if kind["type"] == "view-field" or "ALL" not in item["id"]:
            return {"id": kind, "property": item["property"], "value": values.get(kind["type"])}
        found = list(values.get(kind["type"], []))
        if not isinstance(pressed, str) and pressed["type"] == kind["type"]:
            fits = all(v == pressed[k] for k, v in kind.items() if not isinstance(v, list))
            found = [(pressed, 1)] if fits else []
        is_id = item["property"] == "id"
        return [{"id": i, "property": item["property"], "value": i if is_id else v}
                for i, v in found]  # fmt: skip

    name = pressed if isinstance(pressed, str) else json.dumps(pressed, sort_keys=True,
                                                               separators=(",", ":"))  # fmt: skip
    prop = next(i["property"] for i in spec["inputs"] if wanted in i["id"])
    body = {
        "output": spec["output"], "outputs": client._outputs(spec["output"]),
        "inputs": [filled(i) for i in spec["inputs"]], "state": [filled(i) for i in spec["state"]],
        "changedPropIds": [f"{name}.{prop}"],
    }  # fmt: skip
    answer = client.http.post(
        "/_dash-update-component", json=body, base_url="http://localhost",
        query_string={"endId": client.end_id},
    )  # fmt: skip
    assert answer.status_code in (200, 204), answer.text
    return answer.get_json()


def test_a_label_is_saved_edited_and_refused_when_it_changed(
    client: Client, container: Container
) -> None:
    given = {"feature-place": place(3), "shell-author": "Ada"}
    fields = form("page", text="café <b>", category="places", notes="**x**", confidence=0.5)
    call(client, Labels.FORM_BOX, Labels.SAVE, {**given, "label-field": fields})
    known = container.labels.feature(SAE, 3)
    [label] = known.labels
    assert (label.text, label.category, label.notes, label.confidence, label.author) == (
        "café <b>", "places", "**x**", 0.5, "Ada"
    )  # fmt: skip
    shown = call(client, Labels.LIST, "feature-place", given)["response"]
    assert "café <b>" in json.dumps(shown, ensure_ascii=False)
    assert json.dumps(shown).count('"Undo: added') == 1

    edited = {"label_id": label.label_id, "updated_at": label.updated_at.isoformat()}
    again = {**given, Labels.EDITED: edited, "label-field": form("page", text="bars")}
    call(client, Labels.FORM_BOX, Labels.SAVE, again)
    [label] = container.labels.feature(SAE, 3).labels
    assert (label.text, label.category, label.confidence) == ("bars", None, None)
    refused = call(client, Labels.FORM_BOX, Labels.SAVE, again)
    assert Labels.FORM_ERROR in json.dumps(refused["sideUpdate"])
    assert [one.text for one in container.labels.feature(SAE, 3).labels] == ["bars"]


def test_nothing_typed_is_refused_beside_the_form(client: Client, container: Container) -> None:
    values = {"feature-place": place(4), "label-field": form("page", text="  ")}
    refused = call(client, Labels.FORM_BOX, Labels.SAVE, values)
    assert "must not be blank" in json.dumps(refused["sideUpdate"][Labels.FORM_ERROR])
    assert container.labels.feature(SAE, 4).labels == ()


def test_labels_are_chosen_removed_and_brought_back(client: Client, container: Container) -> None:
    first, second = (
        container.labels.add(AddLabel(sae_id=SAE, feature_id=5, text=text)) for text in "ab"
    )
    button = {"type": "label-act", "label": second.label_id, "do": "choose"}
    call(client, "feature-changed", button, {})
    assert container.labels.texts(SAE, [5]) == {5: "b"}
    call(client, "feature-changed", {**button, "do": "remove"}, {})
    assert container.labels.texts(SAE, [5]) == {5: "a"}
    removal = container.labels.feature(SAE, 5).history[0]
    undo = {"type": "label-undo", "change": removal.change_id, "at": "page"}
    call(client, "feature-changed", undo, {"shell-author": "Bo"})
    assert container.labels.texts(SAE, [5]) == {5: "b"}
    assert container.labels.feature(SAE, 5).history[0].author == "Bo"
    assert {one.label_id for one in container.labels.feature(SAE, 5).labels} == {
        first.label_id, second.label_id
    }  # fmt: skip


def test_a_feature_is_left_out_and_put_back(client: Client, container: Container) -> None:
    values = {"feature-place": place(6), Labels.REASON: "only newlines"}
    call(client, "feature-changed", Labels.SKIP, values)
    assert container.labels.feature(SAE, 6).marks.skipped == "only newlines"
    call(client, "feature-changed", Labels.UNSKIP, values)
    assert container.labels.feature(SAE, 6).marks.skipped is None
    refused = call(client, "feature-changed", Labels.SKIP, {"feature-place": place(6)})
    assert Labels.ERROR in refused["sideUpdate"]


def test_the_queue_goes_on_after_each_answer(client: Client, container: Container) -> None:
    view = {"sae": SAE, "order": "random", "seed": 7}
    shown = call(client, Queue.BOX, LabelsPage.VIEW, {LabelsPage.VIEW: view})["response"]
    item = shown[Queue.ITEM]["data"]
    values = {LabelsPage.VIEW: view, Queue.ITEM: item, "shell-author": "Ada"}
    assert call(client, Queue.BOX, LabelsPage.VIEW, values) is None  # another tab: it stays

    fields = form("queue", text="queued")
    saved = call(client, Queue.BOX, Queue.SAVE, {**values, "label-field": fields})["response"]
    following = saved[Queue.ITEM]["data"]
    assert container.labels.texts(SAE, [item["feature"]]) == {item["feature"]: "queued"}
    assert following["feature"] != item["feature"]

    values |= {Queue.ITEM: following, Queue.REASON: "unreadable"}
    call(client, "queue-star", Queue.STAR, values)
    left = call(client, Queue.BOX, Queue.SKIP, values)["response"]
    marks = container.labels.feature(SAE, following["feature"]).marks
    assert marks.skipped == "unreadable" and marks.is_starred
    assert left[Queue.ITEM]["data"]["feature"] not in (item["feature"], following["feature"])


def test_a_batch_is_one_entry_of_the_history_and_goes_back_as_one(
    client: Client, container: Container
) -> None:
    many = tuple(range(100, 110))
    report = container.labels.bulk(BulkEdit(sae_id=SAE, feature_ids=many, add="bulk"))
    view = {LabelsPage.VIEW: {"sae": SAE}}
    shown = json.dumps(call(client, "label-history-items", LabelsPage.VIEW, view)["response"])
    assert "10 changes made together" in shown and "and 7 more" in shown
    call(client, "labels-changed", {"type": "label-undo-batch", "batch": report.batch_id}, view)
    assert container.labels.texts(SAE, many) == {}


def test_a_file_is_looked_at_imported_and_taken_back(client: Client, container: Container) -> None:
    container.labels.add(AddLabel(sae_id=SAE, feature_id=300, text="=SUM(A1)"))
    content = container.labels.export(SAE, "json").content.replace(b"=SUM(A1)", b"imported")
    upload = container.corpora.upload(io.BytesIO(content), "labels.json", len(content))
    values = {LabelFiles.FILE: {"upload_id": upload, "n": 1}, LabelsPage.VIEW: {"sae": SAE}}
    looked = call(client, LabelFiles.LOOKED, LabelFiles.FILE, values)["response"]
    assert "Import 1 label" in json.dumps(looked)
    assert container.labels.texts(SAE, [300]) == {300: "=SUM(A1)"}
    done = json.dumps(call(client, LabelFiles.DONE, LabelFiles.IMPORT, values)["response"])
    assert {one.text for one in container.labels.feature(SAE, 300).labels} == {
        "=SUM(A1)", "imported"
    }  # fmt: skip
    batch = next(c.batch_id for c in container.labels.feature(SAE, 300).history)
    assert batch in done
    call(client, LabelFiles.DONE, {"type": "label-undo-import", "batch": batch}, values)
    assert [one.text for one in container.labels.feature(SAE, 300).labels] == ["=SUM(A1)"]


def test_a_file_that_cannot_be_read_takes_the_one_before_off_the_screen(
    client: Client, container: Container
) -> None:
    upload = container.corpora.upload(io.BytesIO(b"{bad"), "labels.json", 4)
    values = {LabelFiles.FILE: {"upload_id": upload, "n": 2}, LabelsPage.VIEW: {"sae": SAE}}
    told = call(client, LabelFiles.LOOKED, LabelFiles.FILE, values)["sideUpdate"]
    assert "not JSON" in json.dumps(told[LabelFiles.ERROR])
    assert told[LabelFiles.LOOKED] == told[LabelFiles.DONE] == {"children": None}


def test_runs_name_their_features_and_the_feature_names_its_runs(
    client: Client, container: Container
) -> None:
    request = RunRequest(prompt="The cat sat on the mat", max_tokens=2, sae_ids=(SAE,), seed=1)
    run_id = container.runs.wait(container.runs.start(request).request_id).request_id
    top = container.runs.top_features(run_id, TopQuery(sae_id=SAE))[0]
    label = "<i>cats</i> and mats of every kind there is"
    container.labels.add(AddLabel(sae_id=SAE, feature_id=top.feature_id, text=label))

    with client.app.server.test_request_context():
        view = View(run=run_id, sae=SAE, feature=top.feature_id)
        drawing = draw.Drawing(container.runs.view(run_id), view, "light")
        strip = drawing and draw.strip(drawing).children[1]
        assert strip.labels == {top.feature_id: label}
        assert strip.featureBase == f"/features/{SAE}/"
        assert label in json.dumps(draw.pinned(drawing).to_plotly_json(), default=str)
        assert "&lt;i&gt;cats" in str(draw.bars(drawing).children.figure.layout.yaxis.ticktext)
        assert "&lt;i&gt;cats" in str(draw.heatmap(drawing).children.figure.layout.yaxis.ticktext)
    rows = list(csv.DictReader(io.StringIO(container.runs.export(run_id, "rows", "csv").content
                                           .decode(), newline="")))  # fmt: skip
    assert {r["label"] for r in rows if int(r["feature_id"]) == top.feature_id} == {label}

    values = {"feature-place": place(top.feature_id)}
    found = json.dumps(call(client, FeatureRuns.ITEMS, "feature-place", values)["response"])
    assert f"/runs/{run_id}?sae={SAE}&feature={top.feature_id}" in found
    above = {**values, FeatureRuns.ABOVE: top.max_activation + 1}
    none = json.dumps(call(client, FeatureRuns.ITEMS, "feature-place", above)["response"])
    assert run_id not in none and "No run above this value" in none


def test_an_address_fills_in_the_playground(client: Client) -> None:
    with client.app.server.test_request_context():
        made = playground.layout(prompt="a\x00b <b>", sae=SAE, feature="7")
    sent = json.dumps(made, default=lambda part: part.to_plotly_json())
    assert json.dumps("a\u2400b <b>") in sent
    assert f'"value": ["{SAE}"]' in sent
    assert '"data": {"sae": "demo-l1-res", "feature": 7}' in sent
