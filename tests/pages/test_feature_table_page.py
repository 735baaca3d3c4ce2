"""The page of the table of features over HTTP and by plain calls: what it shows, edits, refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from dash import Dash, callback_context
from dash._callback_context import context_value
from dash._get_app import app_context
from dash._utils import AttributeDict

from app import create_app
from components.feature_table import BLOCK_ROWS, feature_rows
from components.feature_tabs import feature_tabs
from pages import features, features_bulk, features_rows, features_views
from pages.context import container_of
from pages.features_bulk import deed_of
from pages.features_ids import undo_button, view_button, view_removal
from pages.features_state import TableState
from services.errors import InvalidArgument, NotFound
from services.settings import Settings
from tests.pages.dash_client import Client
from tests.pages.test_extraction_pages import text_of
from tests.pages.test_layouts import BAD_QUERIES, show

SAE = "demo-l1-res"
VIEW = {"sae": SAE}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """One app for all; its SAEs have read no corpus, and no test needs one."""
    home = tmp_path_factory.mktemp("features")
    made = create_app(Settings(home=home, preload=False, device="cpu", _env_file=None))
    yield made
    container_of(made).close()


@pytest.fixture
def in_app(served: Dash) -> Iterator[None]:
    """As within a request: callbacks are plain functions then."""
    with served.server.app_context():
        app_context.set(served)
        yield


def pressed(id: Any) -> None:
    """As if the button of this id had called."""
    text = id if isinstance(id, str) else json.dumps(id, sort_keys=True, separators=(",", ":"))
    context_value.set(AttributeDict(triggered_inputs=[{"prop_id": f"{text}.n_clicks"}]))
    assert callback_context.triggered_id == id


@pytest.mark.parametrize(
    "query",
    [*BAD_QUERIES, "?sae=nobody", "?sae=demo-l1-res&range=nothing&sort=';drop&columns=<b>",
     "?sae=demo-l1-res&sort=unheard_of&down=maybe", "?sae=a&sae=b", "?store=../../etc",
     "?sae=demo-l1-res&category=%00&ids=9-1&min_fires=Infinity"],
)  # fmt: skip
def test_no_query_string_breaks_the_page(shared_client: Client, query: str) -> None:
    answer = show(shared_client, "/features", query)
    assert answer.status_code == 200
    assert "sideUpdate" not in answer.get_json(), "an error was reported"


def test_the_state_keeps_what_is_right_and_drops_the_rest() -> None:
    state = TableState.parse(
        {"sae": SAE, "label": "often", "fires": "live", "starred": "1", "sort": "A B",
         "range": "n:10..,max:..5", "min_fires": "nan", "neighbour_of": "-1", "columns": "n,max"}
    )  # fmt: skip
    assert state.as_data() == {
        "sae": SAE, "fires": "live", "starred": True, "range": "n:10..,max:..5",
        "columns": "n,max",
    }  # fmt: skip
    assert state.n_filters == 3
    assert state.bounds() == {"n": ("10", ""), "max": ("", "5")}
    assert state.shown(("mean",)) == ["n", "max"]
    query = state.query(SAE, limit=7)
    assert (query.dead, query.starred, query.limit) == (False, True, 7)
    assert query.ranges == (("n", 10.0, None), ("max", None, 5.0))


def test_what_is_asked_for_comes_first_until_another_order_is_chosen() -> None:
    assert TableState().order == ("feature", False)
    assert TableState(fires_on="x").order == ("fires", True)
    assert TableState(neighbour_of=3).order == ("cosine", True)
    assert TableState(neighbour_of=3, sort="max").order == ("max", False)
    assert TableState(sort="fires", down=True).order == ("feature", False), "nothing is asked for"
    assert TableState(min_fires=2.0).query(SAE).min_fires is None, "needs a text"


def test_the_order_of_the_grid_is_known_before_the_view_has_it() -> None:
    state = TableState(sae=SAE, sort="max", down=True)
    asked = {"sortModel": [{"colId": "n", "sort": "asc"}]}
    assert features_rows.sorted_by(state, asked).order == ("n", False)
    assert features_rows.sorted_by(state, {"sortModel": []}).order == ("feature", False)
    for wrong in (None, 3, {"sortModel": "x"}, {"sortModel": ["x"]}):
        assert features_rows.sorted_by(state, wrong).sae == SAE


@pytest.mark.usefixtures("in_app")
def test_rows_are_those_of_the_service(served: Dash) -> None:
    asked = {"startRow": 100, "endRow": 103, "sortModel": [{"colId": "logit_max", "sort": "desc"}]}
    answer, total, nothing = features_rows.fetch_rows(asked, VIEW | {"range": "feature:..999"})
    tables = container_of(served).features
    state = TableState(sae=SAE, sort="logit_max", down=True, range="feature:..999")
    found = tables.page(state.query(SAE, offset=100, limit=3))
    assert answer == {"rowData": feature_rows(SAE, found.items), "rowCount": 1000}
    assert (total, nothing) == ("1,000 of 1,536 features", {"display": "none"})
    assert answer["rowData"][0]["href"] == f"/features/{SAE}/{found.items[0].feature_id}"
    json.dumps(answer, allow_nan=False)


@pytest.mark.usefixtures("in_app")
def test_where_nothing_passes_it_is_said_over_the_grid() -> None:
    answer, total, nothing = features_rows.fetch_rows({}, VIEW | {"text": "nothing has this"})
    assert answer == {"rowData": [], "rowCount": 0}
    assert (total, nothing) == ("0 of 1,536 features", {})


def test_an_error_is_shown_in_its_place_and_the_grid_gets_an_answer(served: Dash) -> None:
    client = Client(served)
    spec = client.spec("features-grid.getRowsResponse")
    first = {"startRow": 0, "endRow": BLOCK_ROWS}
    for view in ({"sae": "nobody"}, VIEW | {"range": "nothing:1.."}, VIEW | {"neighbour_of": 9999}):
        said = client.post(spec, [first], [view]).get_json()["sideUpdate"]
        assert said["features-grid"]["getRowsResponse"] == {"rowData": [], "rowCount": 0}
        assert "This did not work" in text_of(said["features-error"])


@pytest.mark.usefixtures("in_app")
def test_a_number_leads_to_its_row_or_to_its_page(served: Dash) -> None:
    view = VIEW | {"sort": "logit_max", "down": True}
    ids = container_of(served).features.ids(TableState.parse(view).query(SAE))
    place, said = features_rows.jump(1, 77, view)
    assert place == {"row": ids.index(77), "at": 1}
    place, said = features_rows.jump(2, 77, view | {"range": "feature:100.."})
    assert place is None and f"/features/{SAE}/77" in text_of(said)
    with pytest.raises(NotFound, match="1535"):
        features_rows.jump(3, 1536, view)
    with pytest.raises(InvalidArgument, match="give its number"):
        features_rows.jump(4, "", view)
    drawn = features_rows.open_any(1, VIEW | {"ids": "3,5"})
    assert drawn in {f"/features/{SAE}/3", f"/features/{SAE}/5"}
    with pytest.raises(InvalidArgument, match="no feature passes"):
        features_rows.open_any(1, VIEW | {"text": "nothing has this"})


@pytest.mark.usefixtures("in_app")
def test_the_files_are_of_the_selection(served: Dash) -> None:
    links = features_rows.link_exports(VIEW | {"ids": "3,5", "sort": "max", "text": "a b&c"})[1:]
    assert [link.children for link in links] == ["CSV", "JSON", "Arrow"]
    given = parse_qs(urlsplit(links[0].href).query)
    assert (given["ids"], given["text"], given["format"]) == (["3,5"], ["a b&c"], ["csv"])
    address = features_rows.link_exports(VIEW | {"ids": "3,5", "sort": "feature"})[1].href
    answer = Client(served).http.get(address, base_url="http://localhost")
    assert answer.status_code == 200
    assert [line.split(',')[0].strip('"') for line in answer.text.splitlines()] == [
        "feature", "3", "5",
    ]  # fmt: skip


@pytest.mark.usefixtures("in_app")
def test_a_star_is_kept() -> None:
    features_rows.star({"feature": 9, "on": True, "at": 1}, VIEW, "Ada")
    rows = features_rows.fetch_rows({}, VIEW | {"starred": True})[0]["rowData"]
    assert [row["feature"] for row in rows if row["feature"] == 9] == [9]
    features_rows.star({"feature": 9, "on": False, "at": 2}, VIEW, None)
    rows = features_rows.fetch_rows({}, VIEW | {"starred": True})[0]["rowData"]
    assert 9 not in [row["feature"] for row in rows]


@pytest.mark.parametrize(
    ("do", "text", "category", "expected"),
    [
        ("star", None, None, {"star": True}),
        ("unstar", "x", "y", {"star": False}),
        ("add", "x", None, {"add": "x"}),
        ("add", "x", "y", {"add": "x", "category": "y"}),
        ("category", None, None, {"category": None}),
        ("remove_all", None, None, {"remove": "all"}),
        ("skip", "why", None, {"skip": "why"}),
        ("unskip", None, None, {"unskip": True}),
    ],
)
def test_a_deed_is_what_the_request_says(do: Any, text: Any, category: Any, expected: Any) -> None:
    assert deed_of(do, text, category) == expected


@pytest.mark.parametrize("do", ["add", "skip", "burn", None])
def test_a_deed_without_what_it_needs_is_refused(do: Any) -> None:
    with pytest.raises(InvalidArgument):
        deed_of(do, None, None)


@pytest.mark.usefixtures("in_app")
def test_all_that_pass_are_edited_or_those_that_are_selected(served: Dash) -> None:
    view = VIEW | {"ids": "20-29"}
    labels = container_of(served).labels
    _, said, opened = features_bulk.apply(1, "all", "add", " ten ", "k", [1], view, "Ada")
    assert opened is False and "10 features changed" in text_of(said)
    assert labels.texts(SAE, range(18, 32)) == dict.fromkeys(range(20, 30), "ten")
    assert labels.snapshot(SAE).marks[25].label.author == "Ada"
    features_bulk.apply(2, "selected", "category", "", "", [20, 21], view, None)
    assert labels.status(SAE).by_category["k"] == 8
    with pytest.raises(InvalidArgument, match="tick some rows"):
        features_bulk.apply(3, "selected", "star", "", "", [], view, None)


@pytest.mark.usefixtures("in_app")
def test_a_bulk_edit_is_undone_by_its_button(served: Dash) -> None:
    view, labels = VIEW | {"ids": "40-49"}, container_of(served).labels
    features_bulk.apply(1, "all", "star", "", "", None, view, None)
    batch = labels.feature(SAE, 45).history[0].batch_id
    pressed(undo_button(batch))
    features_bulk.undo([1], "Ada")
    assert not labels.snapshot(SAE).marks[45].is_starred


@pytest.mark.usefixtures("in_app")
def test_a_view_is_saved_shown_and_removed(served: Dash) -> None:
    view = VIEW | {"text": "x", "sort": "max", "down": True, "columns": "n,max"}
    features_views.save(1, "mine", False, view, "Ada")
    (saved,) = container_of(served).views.list(SAE)
    assert "mine" in text_of(features_views.list_views(None, VIEW))
    pressed(view_button(saved.view_id))
    assert TableState.parse(features_views.show([1], VIEW)) == TableState.parse(view)
    pressed(view_removal(saved.view_id))
    features_views.remove([1], VIEW)
    assert "None yet" in text_of(features_views.list_views(None, VIEW))


@pytest.mark.usefixtures("in_app")
def test_an_sae_without_an_extraction_says_what_makes_one() -> None:
    page = text_of(features.layout(sae=SAE))
    assert "has read no corpus yet" in page and f"/extractions/new?sae={SAE}" in page
    assert f"/features/map?sae={SAE}" in text_of(feature_tabs("table", SAE))
