"""One run at its permanent address: everything of it, and what can be done with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, html, no_update, set_props
from dash.exceptions import PreventUpdate

from components import ids
from components.feedback import code_block, empty_state
from components.icons import icon
from components.runs import run_facts, run_href
from components.shell import page, section
from pages import run_actions
from pages.callbacks import CallbackSet
from pages.context import services
from pages.ids import Panel
from pages.panel import panel, visible
from pages.view import View
from services.errors import ActiscopeError, NotFound, as_product_error
from services.runs.code import Language
from services.types import RunView

callbacks = CallbackSet()


def layout(run_id: Any = None, **query: Any) -> html.Div:
    """The page of the run named in the path; a name that no run can have shows as not found."""
    view = View.parse({**query, "run": run_id})
    name = view.run or "?"
    details_box = dmc.Stack(html.Div(_notes(""), style={"display": "none"}), id=Panel.DETAILS)
    nothing = empty_state("No such run", "No run can have this name.", icon_name="runs")
    body = [
        html.Div(id=Panel.FACTS),
        panel(view, run_href(name), nothing),
        details_box,
        run_actions.delete_modal(Panel.DELETE_MODAL),
    ]
    return page(f"Run {name[:12]}", body, actions=_actions(name, _exists(view.run)))


def title(run_id: str = "") -> str:
    """The title of the browser's window."""
    return f"Run {run_id[:12]} · Actiscope"


def _exists(run_id: str | None) -> bool:
    """Whether something can be done with the run; the panel tells what is wrong otherwise."""
    if run_id is None:
        return False
    try:
        services().runs.summary(run_id)
    except NotFound:
        return False
    except ActiscopeError:  # the database is away, for now
        return True
    return True


def _actions(run_id: str, exists: bool) -> Any:
    buttons = [
        dmc.Button("Run again", id=Panel.RERUN, leftSection=icon("rerun", 16)),
        dmc.Anchor("Duplicate into the form", href=f"/?from={run_id}", size="sm"),
        dmc.Button("Delete", id=Panel.DELETE, variant="default", leftSection=icon("trash", 16)),
    ]
    return dmc.Group(buttons, gap="sm", style=visible(exists))


@callbacks.on(
    Output(Panel.FACTS, "children"),
    Output(Panel.DETAILS, "children"),
    Input(Panel.SHOWN, "data"),
    errors_in=Panel.ERROR,
)
def details(shown: Any) -> tuple[Any, list[Any]]:
    """Facts, notes, request, provenance and code of the run on the screen."""
    run = services().runs.view(run_actions.run_of(shown))
    sections = [_notes(run.summary.notes), _texts(run)]
    if run.summary.status.is_final:
        sections.append(_code(run.summary.request_id))
    return section("Facts", run_facts(run)), sections


def _notes(notes: str) -> Any:
    area = dmc.Textarea(
        id=Panel.NOTES, value=notes, debounce=600, autosize=True, minRows=2, maxRows=12,
        placeholder="What you saw", **{"aria-label": "Notes"},
    )  # fmt: skip
    state = html.Div(id=Panel.NOTES_STATE, className="as-muted", role="status")
    return section("Notes", [area, state])


def _texts(run: RunView) -> Any:
    parts = [
        ("prompt", "What the tokenizer saw", run.rendered_prompt),
        ("output", "Output", run.output_text),
        ("request", "Request", _pretty(run.request)),
        ("provenance", "Provenance", _pretty(run.provenance)),
    ]
    return section("Text, request and provenance", _tabs("texts", "prompt", parts))


def _code(run_id: str) -> Any:
    languages: list[tuple[Language, str]] = [("python", "Python"), ("curl", "curl")]
    parts = [(key, label, _in_language(run_id, key)) for key, label in languages]
    return section("As code", _tabs("code", "python", parts))


def _in_language(run_id: str, language: Language) -> str | ActiscopeError:
    """The run as code, or why it cannot be given: nothing else on the page depends on it."""
    try:
        return services().runs.code(run_id, language)
    except Exception as error:
        return as_product_error(error)


def _tabs(
    name: str, chosen: str, parts: Sequence[tuple[str, str, str | ActiscopeError]]
) -> dmc.Tabs:
    tabs = [dmc.TabsTab(label, value=key) for key, label, _ in parts]
    panels = [
        dmc.TabsPanel(_tab(key, label, content), value=key, pt="sm")
        for key, label, content in parts
    ]
    return dmc.Tabs([dmc.TabsList(tabs), *panels], value=chosen, id=f"{Panel.TABS}-{name}")


def _tab(key: str, label: str, content: str | ActiscopeError) -> Any:
    if isinstance(content, ActiscopeError):
        return dmc.Text(
            f"There is no {label} for this: {content.message.rstrip('.')}.", className="as-muted"
        )
    return code_block(content, id=f"{Panel.CODE}-{key}", label=label)


def _pretty(values: Any) -> str:
    return json.dumps(dict(values), indent=2, ensure_ascii=False, default=str)


@callbacks.on(
    Output(Panel.RERUN, "children"),
    Input(Panel.RERUN, "n_clicks"),
    State(Panel.RUN, "data"),
    running=[(Output(Panel.RERUN, "loading"), True, False)],
    errors_in=Panel.ERROR,
)
def run_again(clicks: Any, run_id: Any) -> Any:
    """Start the same request once more and go to the new run."""
    if not clicks:
        raise PreventUpdate
    run = services().runs.rerun(run_actions.run_of({"run": run_id}))
    return _go(run_href(run.request_id))


def _go(href: str) -> Any:
    """Go to another page.

    Not as an output: Dash would call at once what a new page's buttons feed.
    """
    set_props(ids.Shell.LOCATION, {"href": href})
    return no_update


@callbacks.on(
    Output(Panel.NOTES_STATE, "children"),
    Input(Panel.NOTES, "value"),
    State(Panel.RUN, "data"),
    errors_in=Panel.ERROR,
)
def keep_notes(notes: Any, run_id: Any) -> str:
    """Store what was written beside the run."""
    return run_actions.keep_notes(notes, run_id)


@callbacks.on(
    Output(Panel.DELETE, "children"),
    Input(ids.confirm(Panel.DELETE_MODAL), "n_clicks"),
    State(Panel.RUN, "data"),
    errors_in=Panel.ERROR,
)
def delete(clicks: Any, run_id: Any) -> Any:
    """Remove the run and go to the list."""
    run_actions.delete(clicks, run_id)
    return _go("/runs")


callbacks.clientside(
    "(ask, keep, sure) => window.dash_clientside.callback_context.triggered_id === 'run-delete'"
    " && Boolean(ask)",
    Output(Panel.DELETE_MODAL, "opened"),
    Input(Panel.DELETE, "n_clicks"),
    Input(ids.dismiss(Panel.DELETE_MODAL), "n_clicks"),
    Input(ids.confirm(Panel.DELETE_MODAL), "n_clicks"),
)
