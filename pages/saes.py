"""All SAEs: found by filter, with their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from components.entries import SOURCES
from components.icons import icon
from components.saes import empty_saes, sae_table
from components.shell import page, section
from pages import clientside
from pages.callbacks import CallbackSet
from pages.context import services
from pages.ids import Saes, saes_field
from pages.registry_filters import UNMEASURED, SaeFilters
from services.errors import ActiscopeError
from services.types import SaeCard, Verdict

callbacks = CallbackSet()

PATH = "/saes"
ADD = "/saes/add"
_LOOK_MS = 2000  # how soon the list shows what tasks have done
_PAGE = 100  # rows shown at first, and more at each press of the button


def layout(**query: Any) -> html.Div:
    """The page, with the filters that its query string names."""
    filters = SaeFilters.parse(query)
    more = dmc.Button("Show more", id=Saes.MORE, variant="default", style={"display": "none"})
    body = [
        dcc.Store(id=Saes.VIEW, data=filters.as_data()),
        dcc.Store(id=Saes.SINK),
        dcc.Store(id=Saes.STAMP, data=_stamp()),
        dcc.Interval(id=Saes.TICK, interval=_LOOK_MS),
        section("Filter", _filters(filters)),
        html.Div(id=Saes.ERROR),
        html.Div(id=Saes.ITEMS),
        html.Div(more, className="as-end"),
    ]
    intro = "Sparse autoencoders of this server, each measured with its model."
    return page("SAEs", body, actions=[add_button()], intro=intro)


def add_button() -> Any:
    """The way to the page that adds SAEs."""
    return dcc.Link([icon("plus", 16), "Add SAE"], href=ADD, className="as-button")


def _filters(filters: SaeFilters) -> Any:
    cards = _known()
    sources = [{"value": source.value, "label": name} for source, name in SOURCES.items()]
    verdicts = [{"value": v.value, "label": v.value.capitalize()} for v in Verdict]
    verdicts.append({"value": UNMEASURED, "label": "Not measured"})
    text = dmc.TextInput(
        id=saes_field("text"), label="Name, model or repository", value=filters.text or "",
        debounce=300, leftSection=icon("search", 16),
    )  # fmt: skip
    deleted = dmc.Switch(
        id=saes_field("deleted"), label="Deleted ones too", checked=bool(filters.deleted), mb=8
    )
    choices = [
        _choice("model", "Model", [card.info.model_id for card in cards], filters.model),
        _choice("architecture", "Architecture", [card.info.architecture for card in cards],
                filters.architecture),
        _choice("verdict", "Verdict", verdicts, filters.verdict),
        _choice("source", "Source", sources, filters.source),
    ]  # fmt: skip
    return dmc.Group([text, *choices, deleted], align="end")


def _known() -> Sequence[SaeCard]:
    """Every SAE; none while the tables cannot be read: the list says why."""
    try:
        return services().registry.saes(SaeFilters(deleted=True).query())
    except ActiscopeError:
        return ()


def _choice(name: str, label: str, values: list[Any], chosen: str | None) -> dmc.Select:
    if values and isinstance(values[0], dict):
        data = values
    else:  # a link may name a model that is gone
        data = sorted({*values, *([str(chosen)] if chosen else [])} - {""})
    return dmc.Select(
        id=saes_field(name), label=label, data=data, value=chosen and str(chosen), clearable=True,
        placeholder="any", clearButtonProps={"aria-label": f"Any {label}"}, w=150,
    )  # fmt: skip


@callbacks.on(
    Output(Saes.ITEMS, "children"),
    Output(Saes.MORE, "style"),
    Output(Saes.MORE, "children"),
    Input(Saes.VIEW, "data"),
    Input(Saes.MORE, "n_clicks"),
    Input(Saes.STAMP, "data"),
    prevent_initial_call=False,
    errors_in=Saes.ERROR,
)
def show(filter_data: Any, clicks: Any, _stamp: Any) -> tuple[Any, Any, str]:
    """The SAEs that pass the filters."""
    filters = SaeFilters.parse(filter_data)
    cards = [card for card in services().registry.saes(filters.query()) if filters.keeps(card)]
    limit = _PAGE * (1 + (clicks if isinstance(clicks, int) and 0 < clicks < 100 else 0))
    rest = len(cards) - limit
    if not cards:
        is_filtered = bool(filters.as_data())
        return empty_saes(is_filtered, None if is_filtered else add_button()), _HIDDEN, ""
    return _list(cards, limit), {} if rest > 0 else _HIDDEN, f"Show more ({rest:,} left)"


_HIDDEN = {"display": "none"}


def _list(cards: Sequence[SaeCard], limit: int) -> Any:
    number = f"{len(cards):,} SAE{'s' * (len(cards) != 1)}"
    return section(number, sae_table(cards[:limit]))


@callbacks.on(
    Output(Saes.STAMP, "data"),
    Input(Saes.TICK, "n_intervals"),
    State(Saes.STAMP, "data"),
    errors_in=Saes.ERROR,
)
def look_again(_n: Any, seen: Any) -> str:
    """What tasks have done by now, where that is not what the list shows."""
    stamp = _stamp()
    if stamp == seen:
        raise PreventUpdate
    return stamp


def _stamp() -> str:
    """How far all tasks are: which have ended, and how many SAEs or models each has made.

    Tasks are kept in memory: asking for them every other second costs next to nothing.
    """
    tasks = services().registry.tasks()
    return " ".join(f"{task.task_id}:{task.status}:{len(task.results)}" for task in tasks)


callbacks.clientside(
    clientside.FILTERS,
    Output(Saes.VIEW, "data"),
    Input(saes_field(), "value"),
    Input(saes_field(), "checked"),
    State(Saes.VIEW, "data"),
)
callbacks.clientside(
    clientside.mirror_fields(PATH, SaeFilters.model_fields),
    Output(Saes.SINK, "data"),
    Input(Saes.VIEW, "data"),
)
