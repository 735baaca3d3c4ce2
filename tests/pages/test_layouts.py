"""What a page shows for any address that somebody may type."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from dash import Dash

from app import create_app
from pages.context import container_of
from pages.filters import Filters
from pages.view import View
from services.runs.request import RunRequest
from services.settings import Settings
from tests.pages.dash_client import Client

BAD_QUERIES = (
    "?run=nope",
    "?run=../../etc/passwd",
    "?run=%00",
    "?run=" + "a" * 5000,
    "?run=a&run=b",
    "?feature=-1&token=x&sae=&segment=none&special=maybe",
    "?feature=99999999999999999999&token=1e9",
    "?feature=NaN&token=Infinity",
    "?from=nope",
    "?from=%F0%9F%98%80",
    "?status=lost&model=&sae=%3Cscript%3E&text=" + "x" * 2000,
    "?self=1&view=2&path=/etc&run_id=zzz&pathname_=q",
    "?row_rank=0&row_from=9&row_to=1",
    "?%FF%FE=%FF",
)


def show(client: Client, path: str, query: str) -> Any:
    router = client.spec("_pages_content.children")
    return client.post(router, [path, query])


@pytest.mark.parametrize(
    "path", ["/", "/runs", "/runs/nope", "/runs/%2e%2e", "/health", "/nothing"]
)
@pytest.mark.parametrize("query", BAD_QUERIES)
def test_no_query_string_breaks_a_page(shared_client: Client, path: str, query: str) -> None:
    answer = show(shared_client, path, query)
    assert answer.status_code == 200
    assert "sideUpdate" not in answer.get_json(), "an error was reported"
    assert shared_client.http.get(path + query, base_url="http://localhost").status_code == 200


def test_an_unknown_address_says_so_and_leads_back(client: Client) -> None:
    text = show(client, "/nothing/here", "").text
    assert "Page not found" in text
    assert "Go to the playground" in text


@pytest.mark.parametrize(("run", "hidden"), [("gone", True), ("%2e%2e", True), ("here", False)])
def test_only_a_run_that_exists_can_be_run_again_or_deleted(
    client: Client, app: Dash, run: str, hidden: bool
) -> None:
    asked = RunRequest(prompt="x", max_tokens=1, sae_ids=(), request_id="here")
    container_of(app).runs.start(asked)
    page = show(client, f"/runs/{run}", "").get_json()["response"]["_pages_content"]["children"]
    styles = [p.get("style") for p in props_of(page) if '"run-rerun"' in json.dumps(p)]
    assert styles, "the button is on the page"
    assert ({"display": "none"} in styles) is hidden


def props_of(component: Any) -> list[dict[str, Any]]:
    """The props of the component, as sent, and of all in it."""
    if isinstance(component, list):
        return [props for part in component for props in props_of(part)]
    if not isinstance(component, dict):
        return []
    props = component.get("props", {})
    return [props, *props_of(props.get("children"))]


def test_a_view_keeps_what_is_right_and_drops_the_rest() -> None:
    view = View.parse({"run": "abc", "feature": "7", "token": "x", "sae": "", "special": "1"})
    assert view == View(run="abc", feature=7, special=True)


@pytest.mark.parametrize("values", [None, 1, "x", [], ["run"], {"run": {}}, {1: 2}])
def test_anything_else_is_the_empty_view(values: Any) -> None:
    assert View.parse(values) == View()
    assert Filters.parse(values) == Filters()


def test_the_form_is_filled_in_from_a_run(client: Client, app: Dash) -> None:
    asked = RunRequest(prompt="duplicate me", temperature=0.5, seed=5, max_tokens=3, sae_ids=())
    run = container_of(app).runs.start(asked)
    layout = show(client, "/", f"?from={run.request_id}").text
    assert "duplicate me" in layout
    assert '"value":0.5' in layout


def test_two_apps_in_one_process_keep_their_runs_apart(tmp_path: Any, client: Client) -> None:
    other = create_app(Settings(home=tmp_path / "other", preload=False, _env_file=None))
    try:
        request = RunRequest(prompt="only here", max_tokens=1, sae_ids=())
        run = container_of(other).runs.start(request)
        spec = client.spec("play-recent.children")
        assert run.request_id not in client.post(spec, [None]).text
        assert run.request_id in Client(other).post(spec, [None]).text
    finally:
        container_of(other).close()


def test_the_pages_do_not_load_the_engine() -> None:
    heavy = "torch", "transformers", "sae_lens"
    code = f"import app, pages, sys; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
