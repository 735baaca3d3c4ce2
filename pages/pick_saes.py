"""Choosing the SAEs of an extraction: found among all by filter, of one model together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html

from components.entries import SOURCES
from components.feedback import loading
from components.icons import icon
from components.sae_picks import hindrance, pick_row
from components.saes import empty_saes
from pages import clientside
from pages import clientside_extractions as browser
from pages.callbacks import CallbackSet
from pages.context import services
from pages.extraction_ids import New, new_filter, pick
from pages.extraction_state import PickFilters
from pages.saes import add_button
from services.errors import ActiscopeError
from services.extraction.requests import MAX_SAES
from services.registry.requests import SaeQuery
from services.types import SaeCard

callbacks = CallbackSet()

_PAGE = 50  # rows shown at first, and more at each press of the button
_HIDDEN = {"display": "none"}


def prefilled(sae_ids: Sequence[str]) -> dict[str, Any]:
    """These SAEs as the choice; the first one that there is settles the model."""
    models = {card.info.sae_id: card.info.model_id for card in _known()}
    model = next((models[name] for name in sae_ids if name in models), None)
    return {"saes": [n for n in sae_ids if models.get(n, model) == model], "model": model}


def picker() -> list[Any]:
    """Filters, the boxes, and how many are chosen."""
    clear = dmc.Button(
        "Clear", id=New.CLEAR, variant="default", size="compact-sm",
        **{"aria-label": "Choose no SAE"},
    )  # fmt: skip
    more = dmc.Button("Show more", id=New.MORE, variant="default", style=_HIDDEN)
    return [
        dcc.Store(id=New.FILTERS),
        _filters(),
        html.Div([html.Span(id=New.WHY, role="status"), clear], className="as-pick-head as-small"),
        html.Div(id=New.LIST_ERROR),
        html.Div(loading(), id=New.LIST, className="as-pick-scroll"),
        html.Div(more, className="as-end"),
    ]


def _filters() -> dmc.Group:
    cards = _known()
    sources = [{"value": source.value, "label": name} for source, name in SOURCES.items()]
    text = dmc.TextInput(
        id=new_filter("text"), label="Name, model or repository", debounce=300, value="",
        leftSection=icon("search", 16), style={"flex": "1 1 190px"},
    )  # fmt: skip
    models = sorted({card.info.model_id for card in cards} - {""})
    hooks = sorted({card.info.hook_name for card in cards} - {""})
    choices = [
        _choice("model", "Model", [{"value": m, "label": m} for m in models]),
        _choice("hook", "Hook point", [{"value": h, "label": h} for h in hooks]),
        _choice("source", "Source", sources),
    ]
    return dmc.Group([text, *choices], align="end")


def _choice(name: str, label: str, data: list[dict[str, str]]) -> dmc.Select:
    return dmc.Select(
        id=new_filter(name), label=label, data=data, clearable=True, searchable=True,
        placeholder="any", clearButtonProps={"aria-label": f"Any {label}"}, w=132,
    )  # fmt: skip


def _known() -> Sequence[SaeCard]:
    """Every SAE; none while the tables cannot be read: the list says why."""
    try:
        return services().registry.saes()
    except ActiscopeError:
        return ()


@callbacks.on(
    Output(New.LIST, "children"),
    Output(New.MORE, "style"),
    Output(New.MORE, "children"),
    Input(New.FILTERS, "data"),
    Input(New.MORE, "n_clicks"),
    State(New.CHOSEN, "data"),
    prevent_initial_call=False,
    errors_in=New.LIST_ERROR,
)
def show(filter_data: Any, clicks: Any, chosen: Any) -> tuple[Any, Any, str]:
    """The SAEs that pass the filters: those chosen first, then those that can be."""
    filters = PickFilters.parse(filter_data)
    query = SaeQuery(text=filters.text, source=filters.source, model_id=filters.model)
    found = services().registry.saes(query)
    cards = [c for c in found if filters.hook is None or c.info.hook_name == filters.hook]
    if not cards:
        is_filtered = bool(filters.as_data())
        return empty_saes(is_filtered, None if is_filtered else add_button()), _HIDDEN, ""
    limit = _PAGE * (1 + (clicks if isinstance(clicks, int) and 0 < clicks < 100 else 0))
    rest = len(cards) - limit
    return _rows(cards, chosen, limit), {} if rest > 0 else _HIDDEN, f"Show more ({rest:,} left)"


def _rows(cards: Sequence[SaeCard], chosen: Any, limit: int) -> html.Ul:
    given = chosen if isinstance(chosen, Mapping) else {}
    names, model = given.get("saes") or [], given.get("model")
    here = {model.model_id for model in services().models}
    reasons = {c.info.sae_id: hindrance(c, c.info.model_id in here) for c in cards}

    def rank(card: SaeCard) -> tuple[bool, bool, bool]:
        name = card.info.sae_id
        return name not in names, reasons[name] is not None, card.info.model_id != (model or "")

    rows = [
        _row(card, reasons[card.info.sae_id], names, model)
        for card in sorted(cards, key=rank)[:limit]
    ]
    return html.Ul(rows, className="as-picks", **{"aria-label": "SAEs to choose from"})


def _row(card: SaeCard, why: str | None, names: Sequence[str], model: str | None) -> html.Li:
    info = card.info
    is_chosen = info.sae_id in names
    is_other = model is not None and info.model_id != model
    disabled = not is_chosen and (why is not None or is_other or len(names) >= MAX_SAES)
    id = pick(info.sae_id, "" if why else info.model_id)
    return pick_row(card, id, chosen=is_chosen, disabled=disabled, why=why)


callbacks.clientside(
    clientside.FILTERS,
    Output(New.FILTERS, "data"),
    Input(new_filter(), "value"),
    State(New.FILTERS, "data"),
)
callbacks.clientside(
    browser.pick(MAX_SAES),
    Output(New.CHOSEN, "data"),
    Output(pick(), "checked"),
    Output(pick(), "disabled"),
    Output(New.WHY, "children"),
    Input(pick(), "checked"),
    Input(New.CLEAR, "n_clicks"),
    State(pick(), "id"),
    State(New.CHOSEN, "data"),
    prevent_initial_call=False,
)
