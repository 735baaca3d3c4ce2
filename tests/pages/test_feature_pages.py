"""The page of a feature over HTTP: each section by itself, for any feature and any address."""

from __future__ import annotations

import json
import runpy
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plotly.utils
import pytest
from dash import Dash
from dash._callback_context import context_value
from dash._get_app import app_context
from dash._utils import AttributeDict
from dash.exceptions import PreventUpdate

from app import create_app
from pages import (
    feature,
    feature_code,
    feature_decoder,
    feature_document,
    feature_evidence,
    feature_examples,
    feature_place,
    feature_tokens,
)
from pages.context import container_of
from pages.extraction_form import request_of
from pages.feature_state import EvidenceState, Place
from services.container import Container
from services.errors import NotFound
from services.settings import Settings
from services.types import JobStatus
from tests.pages.dash_client import Client
from tests.pages.test_layouts import BAD_QUERIES, show

SAE, OTHER = "demo-l1-res", "demo-l2-res"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """One app for all, with its jobs worked on."""
    home = tmp_path_factory.mktemp("features")
    made = create_app(Settings(home=home, preload=False, device="cpu", _env_file=None))
    yield made
    container_of(made).close()


@pytest.fixture(scope="module")
def store_id(served: Dash) -> str:
    """A finished extraction of one of the demo's SAEs."""
    container = container_of(served)
    request = request_of({"saes": [SAE], "model": "actiscope-demo"},
                         {"corpus": "demo", "max_tokens": 1500, "skip_bos": True})  # fmt: skip
    assert request is not None
    (started,) = container.extractions.start(request)
    assert started.job_id is not None
    job = container.jobs.wait(started.job_id, 120)
    assert job.status is JobStatus.SUCCEEDED, job.error_message
    return started.extraction_id


@pytest.fixture
def in_app(served: Dash, store_id: str) -> Iterator[Container]:
    """As within a request: callbacks are plain functions then."""
    with served.server.test_request_context("/"):
        app_context.set(served)
        token = context_value.set(AttributeDict(updated_props=defaultdict(dict)))
        yield container_of(served)
        context_value.reset(token)


@pytest.fixture
def counts(in_app: Container, store_id: str) -> np.ndarray:
    """Activations by feature."""
    return np.asarray(in_app.stores.open(store_id).counts())


def sent(component: Any) -> str:
    """The component as the browser receives it."""
    return json.dumps(component, cls=plotly.utils.PlotlyJSONEncoder, ensure_ascii=False)


def at(number: int, sae: str = SAE) -> dict[str, Any]:
    return {"sae": sae, "feature": number}


@pytest.mark.parametrize(
    "path",
    ["/features/demo-l1-res/12", "/features/a/b/12", "/features/demo-l1-res/x",
     "/features/demo-l1-res/99999999999", "/features//3", "/features/%00/3"],
)  # fmt: skip
@pytest.mark.parametrize(
    "query",
    [*BAD_QUERIES[:3], "?store=../../etc&low=NaN&high=Infinity&width=-1&order=up&mode=html",
     "?value=[[[&meta=kind&at=-1&seed=x&column=" + "x" * 500],
)  # fmt: skip
def test_no_address_breaks_the_page(shared_client: Client, path: str, query: str) -> None:
    answer = show(shared_client, path, query)
    assert answer.status_code == 200
    assert "sideUpdate" not in answer.get_json(), "an error was reported"


def test_what_makes_no_sense_in_an_address_is_dropped() -> None:
    wrong = {"low": "NaN", "high": "1e999", "order": "up", "width": "1000", "mode": "html",
             "at": "-1", "seed": "x", "counted": "none", "scale": "linear"}  # fmt: skip
    assert EvidenceState.parse(wrong).as_data() == {}
    assert EvidenceState.parse({"meta": "kind", "value": "{"}).where is None
    assert EvidenceState.parse({"meta": "kind"}).where is None
    chosen = EvidenceState.parse({"meta": "kind", "value": '"code"', "low": "1.5", "at": "3"})
    assert chosen.where == '{"kind": "code"}'
    assert chosen.part("examples") == {"low": 1.5, "meta": "kind", "value": '"code"'}
    assert chosen.part("document") == {"at": 3}
    assert Place.of_path("a%2Fb%20c", "7", {}).named == ("a/b c", 7)
    assert Place.of_path(["a"], "7", {}).named is None


def test_the_sections_of_a_feature_say_what_its_store_does(
    in_app: Container, counts: np.ndarray, store_id: str
) -> None:
    number = int(np.argmax(np.where(counts < 400, counts, 0)))
    found = in_app.stores.open(store_id).feature(number)
    head, steps = (sent(part) for part in feature.show_head(at(number), {"width": 5}))
    assert "1,500 tokens" in head or "1,499 tokens" in head or "tokens" in head
    live = np.flatnonzero(counts)
    after = live[np.searchsorted(live, number) + 1]
    assert f"/features/{SAE}/{after}?width=5" in steps
    shown = sent(feature_evidence.show_activations(at(number), {"counted": "all"}, "dark"))
    assert f"{counts[number]:,}" in shown
    lines, said, cursor, _ = feature_examples.show_examples(at(number), {})
    assert said == f"{min(20, counts[number])} of {counts[number]:,} activations"
    largest = np.sort(np.asarray(found.values, np.float64))[::-1][:20]
    assert [line["value"] for line in lines.lines] == largest.tolist()
    for line in lines.lines:  # the framed token has the example's own value
        assert line["values"][line["at"]] == pytest.approx(line["value"], rel=1e-3)
    assert (cursor is None) == (counts[number] <= 20)
    rows = feature_evidence.show_intervals(at(number), {"mode": "text"})
    assert len(rows) == 8
    assert "TF-IDF" in sent(rows)


def test_more_examples_are_the_next_ones(in_app: Container, counts: np.ndarray) -> None:
    number = int(np.argmax(counts))
    state = {"order": "weakest", "width": 0}
    first, said, cursor, _ = feature_examples.show_examples(at(number), state)
    patch, said, cursor, _ = feature_examples.show_more(1, at(number), state, cursor, said)
    assert said == f"40 of {counts[number]:,} activations"
    (operation,) = patch.to_plotly_json()["operations"]
    assert operation["operation"] == "Extend"
    values = [line["value"] for line in first.lines + operation["params"]["value"]]
    assert values == sorted(values)
    assert len({line["position"] for line in first.lines + operation["params"]["value"]}) == 40
    with pytest.raises(PreventUpdate):
        feature_examples.show_more(1, at(number), state, None, said)


def test_a_range_and_documents_choose_examples(in_app: Container, counts: np.ndarray) -> None:
    number = int(np.argmax(counts))
    found = in_app.stores.open(in_app.stores.list()[0]).feature(number)
    values = np.sort(np.asarray(found.values, np.float64))
    low, high = float(values[10]), float(values[-10]) + 1e-6  # no value stands there
    expected = int(((values >= low) & (values < high)).sum())
    _, said, _, _ = feature_examples.show_examples(at(number), {"low": low, "high": high})
    assert f"of {expected:,} activations from" in said
    lines, said, _, _ = feature_examples.show_examples(
        at(number), {"meta": "kind", "value": '"nothing of the kind"'}
    )
    assert "No activation of this feature" in sent(lines)
    assert said.startswith("0 of 0 activations where kind is")


def test_tokens_documents_and_relations_are_listed(in_app: Container, counts: np.ndarray) -> None:
    number = int(np.argmax(np.where(counts < 200, counts, 0)))
    assert "PageRank" in sent(feature_tokens.show_tokens(at(number)))
    table, columns, chosen = feature_tokens.show_breakdown(at(number), {"column": "no such"})
    assert chosen == columns[0]
    assert "95 %" in sent(table)
    for by in ("cosine", "count", "jaccard", "correlation"):
        shown = sent(feature_decoder.show_related(by, at(number)))
        assert f"/features/{SAE}/" in shown
        assert f'"/features/{SAE}/{number}' not in shown  # itself is not its relative
    assert "Raised most" in sent(feature_decoder.show_decoder(at(number), "light"))


def test_the_document_of_an_example_has_the_activation_at_every_token(
    in_app: Container, counts: np.ndarray, store_id: str
) -> None:
    number = int(np.argmax(np.where(counts < 200, counts, 0)))
    store = in_app.stores.open(store_id)
    found = store.feature(number)
    position = int(found.positions[len(found.positions) // 2])
    body, _, title, shown, *_ = feature_document.show_document(at(number), {"at": position})
    assert title.startswith("Document ")
    (line,) = body.lines
    first = position - line["at"]
    assert shown["start"] == first
    expected = dict(zip(found.positions.tolist(), found.values.tolist(), strict=True))
    for i, value in enumerate(line["values"]):
        assert value == pytest.approx(expected.get(first + i, 0.0), rel=1e-3)
    assert feature_document.show_document(at(number), {})[0] is None


def pressed(id: str) -> None:
    """As when the button was what called."""
    context_value.get()["triggered_inputs"] = [{"prop_id": f"{id}.n_clicks", "value": 1}]


def test_a_long_document_goes_on_before_and_after_the_example(
    in_app: Container, counts: np.ndarray, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_document, "_WIDTH", 7)
    number, store = int(np.argmax(counts)), in_app.stores.open(store_id)
    found = store.feature(number)
    documents = [store.document(int(n)) for n in store.documents_at(found.positions)]
    position, document = next(
        (int(p), d) for p, d in zip(found.positions, documents, strict=True)
        if 20 < int(p) - d.start < d.n_tokens - 20
    )  # fmt: skip
    shown = feature_document.show_document(at(number), {"at": position})
    (line,), data = shown[0].lines, shown[3]
    assert line["ids"][line["at"]] == store.tokens(position, position + 1).token_ids[0]
    ids, hidden = {"EARLIER": line["ids"], "LATER": []}, {"display": "none"}
    for name, style in (("EARLIER", -2), ("LATER", -1)):
        for _ in range(document.n_tokens):
            if shown[style] == hidden:
                break
            pressed(getattr(feature_document.FeatureIds, name))
            shown = feature_document.go_on(1, 1, at(number), data)
            (operation,), data = shown[0].to_plotly_json()["operations"], shown[1]
            more = operation["params"]["value"]
            assert more["at"] == -1
            ids[name] = [*more["ids"], *ids[name]] if style == -2 else [*ids[name], *more["ids"]]
    stop = document.start + document.n_tokens
    every = store.tokens(document.start, stop).token_ids.tolist()
    assert ids["EARLIER"] + ids["LATER"] == every
    assert shown[2] == f"All {document.n_tokens:,} tokens"
    assert data == {"document": document.document, "start": document.start, "stop": stop}
    for refused in ({}, None, {"document": "x"}):
        with pytest.raises(PreventUpdate):
            feature_document.go_on(1, None, at(number), refused)


def test_a_dead_feature_says_so_and_shows_what_the_decoder_knows(
    in_app: Container, counts: np.ndarray
) -> None:
    number = int(np.flatnonzero(counts == 0)[0])
    assert "A dead feature" in sent(feature_evidence.show_activations(at(number), {}, "light"))
    assert feature_evidence.show_intervals(at(number), {}) is None
    assert feature_examples.show_examples(at(number), {})[0] is None
    assert feature_tokens.show_tokens(at(number)) is None
    assert feature_tokens.show_breakdown(at(number), {})[0] is None
    assert feature_decoder.show_related("count", at(number)) is None
    assert "Raised most" in sent(feature_decoder.show_decoder(at(number), "light"))


def test_without_a_store_the_page_says_what_makes_one(in_app: Container) -> None:
    head, _ = feature.show_head(at(3, OTHER), {})
    assert f"/extractions/new?sae={OTHER}" in sent(head)
    assert feature_evidence.show_activations(at(3, OTHER), {}, "light") is None
    assert feature_examples.show_examples(at(3, OTHER), {})[0] is None
    assert "not looked at yet" in sent(feature_decoder.show_decoder(at(3, OTHER), "light"))


@pytest.mark.parametrize(("sae", "number"), [("nobody", 3), (SAE, 999_999)])
def test_what_there_is_not_is_an_error_in_its_place(
    in_app: Container, sae: str, number: int
) -> None:
    with pytest.raises(NotFound):
        feature.show_head(at(number, sae), {})
    assert feature_examples.show_examples(at(number, sae), {})[0] is None
    assert feature_decoder.show_decoder(at(number, sae), "dark") is None
    assert feature_code.show_code(at(number, sae)) is None


def test_a_star_is_given_and_taken(in_app: Container) -> None:
    assert feature.show_name(at(5), None)[1] == "false"
    assert feature.star(1, "false", at(5), "me") > 0
    assert feature.show_name(at(5), None)[1] == "true"
    assert feature.star(2, "true", at(5), {"no": "name"}) > 0
    assert feature.show_name(at(5), None)[1] == "false"
    with pytest.raises(PreventUpdate):
        feature.star(None, "false", at(5), "me")


def test_the_python_code_runs_and_prints_the_strongest_activations(
    in_app: Container, counts: np.ndarray, store_id: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    number = int(np.argmax(counts))
    view = feature_place.view_at(at(number))
    assert view is not None
    code = {k: text for k, _, text in feature_code.feature_code(
        view, in_app.stores.url(store_id), "http://localhost:1")}  # fmt: skip
    script = tmp_path / "code.py"
    script.write_text(code["python"], encoding="utf-8")
    runpy.run_path(str(script))
    largest = in_app.stores.open(store_id).feature(number).values.max()
    assert capsys.readouterr().out.splitlines()[0].startswith(f"{largest:.3f} ")
    compile(code["polars"], "polars", "exec")
    assert f"/api/v1/saes/{SAE}/features/{number}/examples?limit=50" in code["curl"]
    assert f"actiscope overview {SAE} {number}" in code["cli"]


def test_the_files_that_are_offered_are_there(in_app: Container, served: Dash) -> None:
    shown = json.loads(sent(feature_code.show_code(at(12))))
    links = [p["href"] for p in _props(shown) if "download" in p]
    assert len(links) == 5
    client = served.server.test_client()
    for href in links:
        assert client.get(href, base_url="http://localhost").status_code == 200, href


def _props(component: Any) -> list[dict[str, Any]]:
    if isinstance(component, list):
        return [props for part in component for props in _props(part)]
    if not isinstance(component, dict):
        return []
    props = component.get("props", {})
    return [props, *_props(props.get("children"))]
