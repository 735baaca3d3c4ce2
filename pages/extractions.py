"""All extractions: found by filter, followed while they run, cancelled, retried, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, Patch, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from components.extractions import empty_extractions, extraction_card, new_button
from components.jobs import STATUS_NAMES, job_href
from components.shell import page, section
from pages import clientside, extraction, extraction_actions
from pages import clientside_extractions as browser
from pages.callbacks import CallbackSet
from pages.clientside_jobs import IN_VIEW
from pages.context import services
from pages.extraction_ids import Act, Extractions, card, extractions_field
from pages.extraction_state import ExtractionFilters, ExtractionName
from services.corpus.requests import CorpusQuery
from services.errors import ActiscopeError, NotFound
from services.registry.requests import SaeQuery
from services.types import ExtractionView, Source

callbacks = CallbackSet()

PATH = "/extractions"
_LOOK_MS, _NOTICE_MS = 1000, 10_000  # at those under way; for those started elsewhere
_HIDDEN = {"display": "none"}
_STORES = (
    Extractions.SINK, Extractions.CURSOR, Extractions.ACTIVE, Extractions.ASKED, Extractions.HEARD,
    Extractions.SEEN,
)  # fmt: skip


def layout(**query: Any) -> html.Div:
    """The page, with the filters that its query string names; or that of one extraction."""
    if ExtractionName.parse(query).id is not None:
        return extraction.layout(**query)
    filters = ExtractionFilters.parse(query)
    more = dmc.Button("Show more", id=Extractions.MORE, variant="default", style=_HIDDEN)
    body = [
        dcc.Store(id=Extractions.VIEW, data=filters.as_data()),
        *(dcc.Store(id=i) for i in _STORES),
        dcc.Interval(id=Extractions.TICK, interval=_LOOK_MS, disabled=True),
        dcc.Interval(id=Extractions.SLOW, interval=_NOTICE_MS),
        *extraction_actions.dialog(),
        section("Filter", _filters(filters)),
        html.Div(_of_job(filters.job), id=Extractions.HEAD),
        html.Div(id=Extractions.ERROR),
        html.Div(id=Extractions.SUMMARY),
        html.Ul(id=Extractions.ITEMS, className="as-cards", **{"aria-label": "Extractions"}),
        html.Div(more, className="as-end"),
    ]
    intro = "Corpora read with SAEs: every activation of every feature is kept."
    return page("Extractions", body, actions=[new_button()], intro=intro)


def _of_job(job_id: str | None) -> Any:
    if job_id is None:
        return None
    links = [dcc.Link("Its log", href=job_href(job_id)), dcc.Link("All extractions", href=PATH)]
    return dmc.Group([dmc.Text("Those of one job, which share its forward passes."), *links])


def _filters(filters: ExtractionFilters) -> Any:
    statuses = [{"value": s.value, "label": word} for s, word in STATUS_NAMES.items()]
    saes = _known_saes()
    models = sorted({model for model, _ in saes.values()})
    fields = [
        _choice("status", "Status", statuses, filters.status),
        _choice("sae", "SAE", sorted(saes), filters.sae),
        _choice("corpus", "Corpus", _corpora(), filters.corpus),
        _choice("model", "Model", models, filters.model),
        dcc.Input(id=extractions_field("job"), type="hidden", value=filters.job or ""),
    ]
    return dmc.Group(fields, align="end")


def _known_saes() -> Mapping[str, tuple[str, Source]]:
    """Model and source of every SAE by its name; none while the tables cannot be read."""
    try:
        cards = services().registry.saes(SaeQuery(include_deleted=True))
    except ActiscopeError:
        return {}
    return {card.info.sae_id: (card.info.model_id, card.source) for card in cards}


def _corpora() -> list[dict[str, str]]:
    try:
        found = services().corpora.list(CorpusQuery(include_deleted=True))
    except ActiscopeError:
        return []
    return [{"value": one.corpus_id, "label": one.name} for one in found]


def _choice(name: str, label: str, values: Sequence[Any], chosen: str | None) -> dmc.Select:
    options = [v if isinstance(v, dict) else {"value": v, "label": v} for v in values]
    if chosen and str(chosen) not in [option["value"] for option in options]:
        options.append({"value": str(chosen), "label": str(chosen)})  # gone, its extractions not
    return dmc.Select(
        id=extractions_field(name), label=label, data=options, value=chosen and str(chosen),
        clearable=True, searchable=True, placeholder="any",
        clearButtonProps={"aria-label": f"Any {label}"}, w=200,
    )  # fmt: skip


@callbacks.on(
    Output(Extractions.ITEMS, "children"),
    Output(Extractions.SUMMARY, "children"),
    Output(Extractions.CURSOR, "data"),
    Output(Extractions.MORE, "style"),
    Output(Extractions.ACTIVE, "data"),
    Input(Extractions.VIEW, "data"),
    Input(Act.CHANGED, "data"),
    prevent_initial_call=False,
    errors_in=Extractions.ERROR,
)
def first_page(filter_data: Any, _changed: Any) -> tuple[Any, ...]:
    """The newest extractions that pass the filters."""
    filters = ExtractionFilters.parse(filter_data)
    found = services().extractions.list(filters.query())
    nothing = None if found.items else empty_extractions(bool(filters.as_data()))
    more = {} if found.next_cursor else _HIDDEN
    return _items(found.items), nothing, found.next_cursor, more, _active(found.items)


@callbacks.on(
    Output(Extractions.ITEMS, "children", allow_duplicate=True),
    Output(Extractions.CURSOR, "data", allow_duplicate=True),
    Output(Extractions.MORE, "style", allow_duplicate=True),
    Output(Extractions.ACTIVE, "data", allow_duplicate=True),
    Input(Extractions.MORE, "n_clicks"),
    State(Extractions.VIEW, "data"),
    State(Extractions.CURSOR, "data"),
    State(Extractions.ACTIVE, "data"),
    running=[(Output(Extractions.MORE, "loading"), True, False)],
    errors_in=Extractions.ERROR,
)
def next_page(clicks: Any, filter_data: Any, cursor: Any, active: Any) -> tuple[Any, ...]:
    """The extractions that come after those on the page."""
    if not clicks or not cursor:
        raise PreventUpdate
    found = services().extractions.list(ExtractionFilters.parse(filter_data).query(cursor))
    items = Patch()
    items.extend(_items(found.items))
    known = active if isinstance(active, list) else []
    more = {} if found.next_cursor else _HIDDEN
    return items, found.next_cursor, more, [*known, *_active(found.items)]


@callbacks.on(
    Output(Extractions.ITEMS, "children", allow_duplicate=True),
    Output(Extractions.SUMMARY, "children", allow_duplicate=True),
    Output(Extractions.ACTIVE, "data", allow_duplicate=True),
    Input(Extractions.SEEN, "data"),
    State(Extractions.VIEW, "data"),
    State(card(), "id"),
    State(Extractions.ACTIVE, "data"),
    errors_in=Extractions.ERROR,
)
def notice(_seen: Any, filter_data: Any, cards: Any, active: Any) -> tuple[Any, None, list[str]]:
    """Those that were started elsewhere since the page was drawn, above the others."""
    found = services().extractions.list(ExtractionFilters.parse(filter_data).query()).items
    known = _names(cards)
    if not (new := list(takewhile(lambda view: view.extraction_id not in known, found))):
        raise PreventUpdate
    items = Patch()
    for item in reversed(_items(new)):
        items.prepend(item)
    return items, None, [*_active(new), *(active if isinstance(active, list) else [])]


@callbacks.on(
    Output(card(), "children"),
    Output(Extractions.ACTIVE, "data", allow_duplicate=True),
    Output(Extractions.HEARD, "data"),
    Input(Extractions.ASKED, "data"),
    State(card(), "id"),
    State(Extractions.ACTIVE, "data"),
    errors_in=Extractions.ERROR,
)
def look_again(tick: Any, cards: Any, active: Any) -> tuple[list[Any], list[str], Any]:
    """The cards of those that were under way, as they stand now."""
    names = _names(cards)
    wanted = [name for name in names if name and name in (active or [])]
    views = {view.extraction_id: view for name in wanted if (view := _view(name)) is not None}
    sources = _known_saes() if views else {}
    drawn = [_card(views[n], sources) if n in views else no_update for n in names]
    return drawn, _active([*views.values()]), tick


def _names(cards: Any) -> list[str | None]:
    """The extractions of the cards on the page."""
    ids = [id if isinstance(id, dict) else {} for id in cards]
    return [ExtractionName.parse({"id": id.get("extraction")}).id for id in ids]


def _view(name: str) -> ExtractionView | None:
    try:
        return services().extractions.get(name)
    except NotFound:  # removed meanwhile, elsewhere
        return None


def _items(views: Sequence[ExtractionView]) -> list[html.Li]:
    sources = _known_saes() if views else {}
    return [html.Li(_card(view, sources), id=card(view.extraction_id)) for view in views]


def _card(view: ExtractionView, saes: Mapping[str, tuple[str, Source]]) -> Any:
    _, source = saes.get(view.sae_id, ("", None))
    return extraction_card(view, source, extraction_actions.buttons(view))


def _active(views: Sequence[ExtractionView]) -> list[str]:
    return [view.extraction_id for view in views if not view.status.is_final]


callbacks.clientside(
    "(active) => !(active && active.length)",
    Output(Extractions.TICK, "disabled"),
    Input(Extractions.ACTIVE, "data"),
)
callbacks.clientside(
    IN_VIEW,
    Output(Extractions.SEEN, "data"),
    Input(Extractions.SLOW, "n_intervals"),
)
callbacks.clientside(
    browser.ASK_AGAIN,
    Output(Extractions.ASKED, "data"),
    Input(Extractions.TICK, "n_intervals"),
    State(Extractions.ASKED, "data"),
    State(Extractions.HEARD, "data"),
)
callbacks.clientside(
    clientside.FILTERS,
    Output(Extractions.VIEW, "data"),
    Input(extractions_field(), "value"),
    State(Extractions.VIEW, "data"),
)
callbacks.clientside(
    clientside.mirror_fields(PATH, ExtractionFilters.model_fields),
    Output(Extractions.SINK, "data"),
    Input(Extractions.VIEW, "data"),
)
