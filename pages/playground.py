"""The playground: write a prompt, watch the model write, look at the features."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate
from pydantic import Field

from components.feedback import empty_state
from components.runs import recent_runs_list
from components.shell import page, section
from pages import clientside
from pages.callbacks import CallbackSet
from pages.context import services
from pages.examples import EXAMPLES
from pages.form import form, sae_options, saes_of, usual_choice, verdict_notes
from pages.ids import Form, Panel, example
from pages.panel import panel
from pages.url_state import UrlState
from pages.view import View
from services.errors import ActiscopeError
from services.runs.queries import RunQuery
from services.runs.request import RunRequest
from services.text import storable
from services.types import RunSummary

callbacks = CallbackSet()

PATH = "/"
_RECENT = 8


def layout(**query: Any) -> html.Div:
    """The page; `?run=` shows that run, `?from=` fills in the form from it, `?sae=` chooses one.

    `?prompt=` fills in a text, read raw; with `?feature=` the run then colours by that feature.
    """
    view = View.parse(query)
    source = View.parse({"run": query.get("from")}).run
    text = Text.parse(query).prompt
    start = empty_state(
        "Nothing run yet",
        "Write a prompt or take an example, then press Run: the tokens appear here as the model "
        "writes them, and the features that fired once it is done.",
        icon_name="playground",
    )
    left = [
        section("Prompt", form(services().models, _request(view, source, text))),
        section("Recent runs", [html.Div(id=Form.RECENT_ERROR), html.Div(id=Form.RECENT)]),
        dcc.Store(id=Form.STORE, data=[asdict(one) for one in EXAMPLES]),
    ]
    grid = dmc.Grid(
        [
            dmc.GridCol(dmc.Stack(left), span={"base": 12, "md": 4}),
            dmc.GridCol(panel(view, PATH, start), span={"base": 12, "md": 8}),
        ],
        gutter="lg",
    )
    return page("Playground", grid, intro="Which features fire while a model reads and writes.")


class Text(UrlState):
    """What an address fills in as the prompt: an example of a corpus, most often."""

    prompt: str | None = Field(None, min_length=1, max_length=100_000)


def _request(view: View, source: str | None, text: str | None) -> Mapping[str, Any] | None:
    """The request to fill in. A page that shows a run leaves its drawn seed out."""
    run_id = source or view.run
    if run_id is None and text is not None:
        raw = {"prompt": storable(text), "chat_template": "off"}
        return raw | dict(_with_sae(view.sae) or {})
    if run_id is None:
        return _with_sae(view.sae)
    # The panel tells what is wrong with the run; the form is of use without it.
    with contextlib.suppress(ActiscopeError):
        request = dict(services().runs.view(run_id).request)
        return request if source else {**request, "seed": None}
    return None


def _with_sae(sae_id: str | None) -> Mapping[str, Any] | None:
    """A request for the SAE alone, with the model that it is for."""
    for model in services().models:
        if sae_id in [sae.sae_id for sae in model.saes]:
            return {"model_id": model.model_id, "sae_ids": [sae_id]}
    return None


@callbacks.on(
    Output(Panel.VIEW, "data", allow_duplicate=True),
    Input(Form.SUBMISSION, "data"),
    State(Panel.VIEW, "data"),
    running=[(Output(Form.RUN, "loading"), True, False)],
    errors_in=Form.ERROR,
)
def submit(submission: Any, view_data: Any) -> dict[str, Any]:
    """Start the run that the form describes and look at it."""
    if not isinstance(submission, dict):
        raise PreventUpdate
    summary = services().runs.start(RunRequest.parse(submission.get("request")))
    return {**_prepared(View.parse(view_data), summary), "run": summary.request_id}


def _prepared(view: View, summary: RunSummary) -> dict[str, Any]:
    """The feature that the address asked for before there was a run to show it in."""
    if view.run is not None or view.sae not in summary.sae_ids:
        return {}
    return View(sae=view.sae, feature=view.feature).as_data()


@callbacks.on(
    Output(Form.RECENT, "children"),
    Input(Panel.SHOWN, "data"),
    prevent_initial_call=False,
    errors_in=Form.RECENT_ERROR,
)
def recent(_shown: Any) -> Any:
    """The newest runs, after each change of the one on the screen."""
    return recent_runs_list(services().runs.list(RunQuery(limit=_RECENT)).items)


@callbacks.on(
    Output(Form.SAES, "data"),
    Output(Form.SAES, "value"),
    Input(Form.MODEL, "value"),
)
def offer_saes(model_id: Any) -> tuple[list[dict[str, str]], list[str]]:
    """The SAEs of the chosen model, and those of them to begin with."""
    saes = saes_of(services().models, model_id)
    return sae_options(saes), usual_choice(saes)


@callbacks.on(
    Output(Form.VERDICTS, "children"),
    Input(Form.SAES, "value"),
    State(Form.MODEL, "value"),
    errors_in=Form.ERROR,
)
def warn(chosen: Any, model_id: Any) -> Any:
    """What is to be known of the chosen SAEs."""
    return verdict_notes(saes_of(services().models, model_id), chosen)


callbacks.clientside(
    clientside.COLLECT,
    Output(Form.SUBMISSION, "data"),
    Input(Form.RUN, "n_clicks"),
    State(Form.PROMPT, "value"),
    State(Form.SYSTEM_PROMPT, "value"),
    State(Form.CHAT_TEMPLATE, "value"),
    State(Form.MODEL, "value"),
    State(Form.SAES, "value"),
    State(Form.TEMPERATURE, "value"),
    State(Form.TOP_P, "value"),
    State(Form.TOP_K, "value"),
    State(Form.MAX_TOKENS, "value"),
    State(Form.SEED, "value"),
    State(Form.SAE_TOP_K, "value"),
    State(Form.SUBMISSION, "data"),
)
callbacks.clientside(
    clientside.BUSY,
    Output(Form.RUN, "disabled"),
    Input(Panel.SHOWN, "data"),
    Input(Panel.VIEW, "data"),
)
callbacks.clientside(
    clientside.KEYS,
    Output(Form.KEYS, "data"),
    Input(Form.FORM, "id"),
    State(Form.RUN, "id"),
    prevent_initial_call=False,
)
callbacks.clientside(
    clientside.FILL_IN,
    Output(Form.PROMPT, "value"),
    Output(Form.CHAT_TEMPLATE, "value"),
    Input(example(), "n_clicks"),
    State(Form.STORE, "data"),
)
