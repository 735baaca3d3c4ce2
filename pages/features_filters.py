"""What narrows the table of features: a search, marks of labels, bounds, a text, a neighbour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from components.icons import icon
from pages.features_ids import Table, reset, table_bound, table_field
from pages.features_state import TableState
from services.types.features import ColumnInfo

_FIRST = ("n", "token_density", "n_documents", "max", "mean")  # bounds that are always in sight
_SEARCHED = (
    ("label", "labels"), ("notes", "notes"), ("top_tokens", "top tokens"),
    ("example", "examples"), ("promoted", "promoted tokens"),
)  # fmt: skip


def search_field(state: TableState) -> dmc.TextInput:
    """The one search field."""
    return dmc.TextInput(
        id=table_field("text"), label="Search", value=state.text or "", debounce=250,
        placeholder="Words in labels, notes, tokens and examples", leftSection=icon("search", 16),
        className="as-grow",
    )  # fmt: skip


def filter_panel(
    state: TableState, columns: Sequence[ColumnInfo], categories: Mapping[str, int]
) -> html.Details:
    """All other filters, folded away; open when the address has set one of them."""
    bounds = state.bounds()
    numbers = [c for c in columns if c.kind == "number" and c.needs != "query"]
    shown = [c for c in numbers if c.name in _FIRST or c.name in bounds]
    rest = [{"value": c.name, "label": c.title} for c in numbers if c.name not in _FIRST]
    more = dmc.Select(
        id=Table.ADD_BOUND, data=rest, placeholder="Another column", searchable=True, size="xs",
        w=190, nothingFoundMessage="None found", **{"aria-label": "Bounds of another column"},
    )  # fmt: skip
    clear = dmc.Button("Clear filters", id=reset("panel"), variant="default", size="xs")
    body = [
        dmc.Group(_marks(state, categories), align="end", gap="sm"),
        dmc.Group(_evidence(state), align="end", gap="sm"),
        html.Div("Between", className="as-option-title"),
        html.Div(
            [between(c, bounds.get(c.name, ("", ""))) for c in shown],
            id=Table.BOUNDS,
            className="as-bounds",
        ),
        dmc.Group([more, clear], justify="space-between"),
    ]
    count = html.Span(_count(state), id=Table.FILTERED, className="as-count")
    return html.Details(
        [html.Summary(["Filters ", count]), dmc.Stack(body, gap="md")],
        className="as-options as-details",
        open=state.n_filters > (state.text is not None),
    )


def column_panel(columns: Sequence[ColumnInfo], shown: Sequence[str]) -> html.Details:
    """Which columns are shown."""
    boxes = [
        dmc.Checkbox(label=c.title, value=c.name, size="xs", wrapperProps={"title": c.definition})
        for c in columns
    ]
    group = dmc.CheckboxGroup(
        html.Div(boxes, className="as-column-boxes"), id=Table.COLUMNS, value=[*shown],
        **{"aria-label": "Columns that are shown"},
    )  # fmt: skip
    return html.Details([html.Summary("Columns"), group], className="as-options as-details")


def _count(state: TableState) -> str:
    n = state.n_filters - (state.text is not None)
    return str(n) if n else ""


def _marks(state: TableState, categories: Mapping[str, int]) -> list[Any]:
    names = [*dict.fromkeys([*categories, *([state.category] if state.category else [])])]
    shown = [{"value": c, "label": f"{c} ({categories.get(c, 0):,})"} for c in names]
    return [
        _choice("label", "Label", [("labelled", "Has one"), ("unlabelled", "Has none")],
                state.label),
        _choice("category", "Category", shown, state.category, searchable=True),
        _choice("source", "Source", [("human", "Human"), ("automatic", "Automatic"),
                                     ("imported", "Imported")], state.source),
        _choice("fires", "Fires", [("live", "Somewhere"), ("dead", "Nowhere (dead)")],
                state.fires),
        dmc.Switch(id=table_field("starred"), label="Starred", checked=bool(state.starred), mb=8),
        dmc.Switch(id=table_field("skipped"), label="Skipped", checked=bool(state.skipped), mb=8),
    ]  # fmt: skip


def _evidence(state: TableState) -> list[Any]:
    searched = state.search_in.split(",") if state.search_in else []
    return [
        dmc.TextInput(
            id=table_field("fires_on"), label="Fires on text", value=state.fires_on or "",
            debounce=True, placeholder="Text that the model reads; press Enter",
            className="as-grow",
        ),
        _number("min_fires", "… at least", state.min_fires, 110, step=0.1),
        _number("neighbour_of", "Neighbours of feature", state.neighbour_of, 160,
                allowDecimal=False),
        dmc.TextInput(
            id=table_field("ids"), label="Only numbers", value=state.ids or "", debounce=400,
            placeholder="3, 5, 10-20", w=150,
        ),
        dmc.MultiSelect(
            id=table_field("search_in"), label="Search only in", value=searched, w=230,
            data=[{"value": value, "label": label} for value, label in _SEARCHED],
            placeholder=None if searched else "everything", clearable=True,
            clearButtonProps={"aria-label": "Search everywhere"},
        ),
    ]  # fmt: skip


def between(column: ColumnInfo, given: tuple[str, str] = ("", "")) -> html.Div:
    """The fields for the least and the greatest value of a column."""
    name = column.title
    ends = [
        dmc.NumberInput(
            id=table_bound(column.name, end), value=value, size="xs", hideControls=True,
            debounce=400, placeholder=placeholder, **{"aria-label": f"{name}, {words}"},
        )
        for end, value, placeholder, words in (
            ("low", given[0], "from", "at least"), ("high", given[1], "to", "at most"),
        )
    ]  # fmt: skip
    return html.Div(
        [html.Div(name, className="as-bound-name", title=column.definition), *ends],
        role="group", className="as-bound", **{"aria-label": name},
    )  # fmt: skip


def _number(name: str, label: str, value: float | None, width: int, **more: Any) -> dmc.NumberInput:
    return dmc.NumberInput(
        id=table_field(name), label=label, value="" if value is None else value, min=0,
        debounce=400, hideControls=True, w=width, **more,
    )  # fmt: skip


def _choice(
    name: str, label: str, data: Sequence[Any], chosen: str | None, *, searchable: bool = False
) -> dmc.Select:
    options = [d if isinstance(d, dict) else {"value": d[0], "label": d[1]} for d in data]
    return dmc.Select(
        id=table_field(name), label=label, data=options, value=chosen and str(chosen),
        clearable=True, placeholder="any", clearButtonProps={"aria-label": f"Any {label.lower()}"},
        searchable=searchable, w=150,
    )  # fmt: skip
