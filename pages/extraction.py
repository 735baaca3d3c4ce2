"""One extraction: followed while it runs, then what it made; its features are beside it."""

from __future__ import annotations

from math import log
from typing import Any
from urllib.parse import quote

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update, set_props

from components.extraction_figures import density_figure, l0_figure, speed_figure
from components.extractions import (
    config_list,
    extraction_facts,
    extraction_line,
    problem,
    siblings_list,
    summary_numbers,
)
from components.feedback import code_block, empty_state, loading
from components.figures import graph
from components.icons import icon
from components.ids import Shell
from components.jobs import job_href, job_progress, status_badge
from components.shell import page, section
from components.theme import Scheme
from pages import clientside_extractions as browser
from pages import extraction_actions
from pages.callbacks import CallbackSet
from pages.context import services
from pages.extraction_code import extraction_code
from pages.extraction_features import feature_section
from pages.extraction_ids import Act, Extraction
from pages.extraction_state import ExtractionName, FeatureState
from services.errors import ActiscopeError, NotFound
from services.extraction.requests import ExtractionQuery
from services.types import ExtractionLive, ExtractionView, JobView, Source

callbacks = CallbackSet()

PATH = "/extraction"
_LOOK_MS = 1000
_HIDDEN = {"display": "none"}
_CODE = "extraction-code"
_STORES = (Extraction.SINK, Extraction.STAMP, Extraction.ASKED, Extraction.HEARD)


def layout(**query: Any) -> html.Div:
    """The page of the extraction that the query string names."""
    name = ExtractionName.parse(query).id
    state = FeatureState.parse(query)
    body = [
        dcc.Store(id=Extraction.ID, data=name),
        dcc.Store(id=Extraction.VIEW, data=state.as_data()),
        *(dcc.Store(id=i) for i in _STORES),
        dcc.Interval(id=Extraction.TICK, interval=_LOOK_MS, disabled=name is None),
        *extraction_actions.dialog(),
        html.Div(id=Extraction.ERROR),
        dmc.Stack(_nothing() if name is None else loading(), id=Extraction.HEAD),
        html.Div(_figures(), id=Extraction.FIGURES, className="as-columns", style=_HIDDEN),
        feature_section(state),
        html.Div(id=Extraction.SUMMARY_ERROR),
        dmc.Stack(id=Extraction.SUMMARY),
    ]
    return page(_heading(name), body, actions=[dcc.Link("All extractions", href="/extractions")])


def _heading(name: str | None) -> str:
    """What is read with what; the bare name where that cannot be told."""
    if name is None:
        return "Extraction"
    try:
        view = services().extractions.get(name)
    except ActiscopeError:
        return f"Extraction {name}"
    return f"{view.sae_id} over {view.corpus_name}"


def title(**_query: Any) -> str:
    """The title of the browser's window."""
    return "Extraction · Actiscope"


def _nothing() -> Any:
    link = dcc.Link("All extractions", href="/extractions")
    text = "Choose one from the list."
    return empty_state("No extraction named", text, link, icon_name="extractions")


def _figures() -> list[Any]:
    none = ExtractionLive()
    drawn = [
        (Extraction.SPEED, "Speed", "Tokens per second over time", speed_figure(none)),
        (Extraction.DENSITY, "Feature density", "Features by how often they fire",
         density_figure(none)),
        (Extraction.L0, "Features per token", "Tokens by the number of features that fire",
         l0_figure(none)),
    ]  # fmt: skip
    return [section(name, graph(id, figure, label=label)) for id, name, label, figure in drawn]


@callbacks.on(
    Output(Extraction.HEAD, "children"),
    Output(Extraction.TICK, "disabled"),
    Output(Extraction.STAMP, "data"),
    Output(Extraction.FIGURES, "style"),
    Output(Extraction.SPEED, "figure"),
    Output(Extraction.DENSITY, "figure"),
    Output(Extraction.L0, "figure"),
    Output(Extraction.HEARD, "data"),
    Input(Extraction.ID, "data"),
    Input(Extraction.ASKED, "data"),
    Input(Act.CHANGED, "data"),
    State(Extraction.STAMP, "data"),
    State(Shell.SCHEME, "computedColorScheme"),
    prevent_initial_call=False,
    errors_in=Extraction.ERROR,
)
def follow(named: Any, tick: Any, _changed: Any, stamp: Any, scheme: Any) -> tuple[Any, ...]:
    """Where it stands now."""
    name = ExtractionName.parse({"id": named}).id
    if name is None:
        return _nothing(), True, None, _HIDDEN, *[no_update] * 4
    try:
        view = services().extractions.get(name)
    except NotFound:  # never was, or is removed: the error says so
        for id in (Extraction.HEAD, Extraction.SUMMARY):
            set_props(id, {"children": None})
        set_props(Extraction.TICK, {"disabled": True})
        set_props(Extraction.STAMP, {"data": None})
        raise
    now = _stamp(view)
    theme: Scheme = "dark" if scheme == "dark" else "light"
    drawn = [draw(view.live, theme) for draw in (speed_figure, density_figure, l0_figure)]
    shown = {} if view.live.n_tokens else _HIDDEN
    new = no_update if now == stamp else now
    job = _job(view)
    is_over = view.status.is_final and (job is None or job.status.is_final)  # the job ends last
    return _head(view, job), is_over, new, shown, *drawn, tick


def _stamp(view: ExtractionView) -> dict[str, Any]:
    """Changes when there is more to be read: by a fifth, or for good."""
    grown = int(log(1 + view.live.n_tokens) / log(1.2))
    state = f"{view.status} {view.has_store} {view.is_complete} {view.size_bytes}"
    return {"id": view.extraction_id, "grown": grown, "state": state}


def _job(view: ExtractionView) -> JobView | None:
    """Its job; None once that is forgotten."""
    try:
        return None if view.job_id is None else services().jobs.get(view.job_id)
    except NotFound:
        return None


def _head(view: ExtractionView, job: JobView | None) -> list[Any]:
    buttons = extraction_actions.buttons(view)
    heading = "So far" if not view.status.is_final else "Result"
    return [
        section("Progress", _progress(view, job), actions=buttons),
        section(heading, summary_numbers(view)) if view.live.n_tokens else None,
    ]


def _progress(view: ExtractionView, job: JobView | None) -> list[Any]:
    """That of its job; without one what the extraction itself has."""
    where = extraction_line(view, _source(view.sae_id))
    if job is None:
        return [where, status_badge(view.status), problem(view)]
    return [where, job_progress(job), dcc.Link("Log of the job", href=job_href(job.job_id))]


@callbacks.on(
    Output(Extraction.SUMMARY, "children"),
    Input(Extraction.STAMP, "data"),
    Input(Extraction.VIEW, "data"),
    prevent_initial_call=False,
    errors_in=Extraction.SUMMARY_ERROR,
)
def describe(stamp: Any, state_data: Any) -> Any:
    """What does not change with every batch: facts, options, siblings, code."""
    name = ExtractionName.parse(stamp).id
    if name is None:
        return None
    view = services().extractions.get(name)
    place = services().stores.url(name)
    parts = [
        section("Facts", extraction_facts(view, _source(view.sae_id), place)),
        _siblings(view),
        section("Options", config_list(view.config)) if view.config else None,
        _code(view, place, FeatureState.parse(state_data).feature),
    ]
    return [part for part in parts if part is not None]


def _source(sae_id: str) -> Source | None:
    try:
        return services().registry.sae(sae_id).source
    except ActiscopeError:  # deleted with its files; what it found is still here
        return None


def _siblings(view: ExtractionView) -> Any:
    if view.job_id is None:
        return None
    found = services().extractions.list(ExtractionQuery(job_id=view.job_id, limit=50)).items
    others = [one for one in found if one.extraction_id != view.extraction_id]
    if not others:
        return None
    link = dcc.Link("As a list", href=f"/extractions?job={view.job_id}")
    note = "The SAEs of one job share its forward passes."
    return section("Of the same job", siblings_list(others), actions=link, note=note)


def _code(view: ExtractionView, place: str, feature: int | None) -> Any:
    parts = extraction_code(view, place, services().settings.base_url, feature)
    tabs = [dmc.TabsTab(label, value=key) for key, label, _ in parts]
    panels = [
        dmc.TabsPanel(
            code_block(text, id=f"extraction-code-{key}", label=label), value=key, pt="sm"
        )
        for key, label, text in parts
    ]
    body = dmc.Tabs([dmc.TabsList(tabs), *panels], value="python")
    return section("Copy as code", body, actions=_export(view) if view.is_complete else None)


def _export(view: ExtractionView) -> list[Any]:
    """The table of features as files."""
    address = f"/api/v1/stores/{quote(view.extraction_id)}/features"
    return [
        html.A(
            [icon("download", 16), f"Features as {label}"], href=f"{address}?format={kind}",
            className="as-button as-button-quiet", download="",
        )
        for kind, label in (("csv", "CSV"), ("arrow", "Arrow"))
    ]  # fmt: skip


callbacks.clientside(
    browser.ASK_AGAIN,
    Output(Extraction.ASKED, "data"),
    Input(Extraction.TICK, "n_intervals"),
    State(Extraction.ASKED, "data"),
    State(Extraction.HEARD, "data"),
)
