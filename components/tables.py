"""Tables small enough for a page: on a narrow screen every row turns into a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dash import html


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its heading; numbers stand at its right."""

    title: str
    number: bool = False


def table(
    label: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]], *, fold: bool = False
) -> html.Div:
    """Rows under headings; the first cell names its row. `fold`: cards on a narrow screen."""
    head = html.Thead(html.Tr([html.Th(c.title, scope="col", className=_side(c)) for c in columns]))
    body = html.Tbody([_row(columns, row) for row in rows])
    kind = "as-table as-table-folds" if fold else "as-table"
    # Folding changes `display`, and with it the roles that browsers give to table elements.
    return html.Div(
        html.Table([head, body], className=kind, role="table", **{"aria-label": label}),
        className="as-table-box",
        tabIndex=0,
        role="region",
        **{"aria-label": label},
    )


def _row(columns: Sequence[Column], row: Sequence[Any]) -> html.Tr:
    first, *others = zip(columns, row, strict=True)
    name = html.Th(first[1], scope="row", role="rowheader")
    cells = [
        html.Td(value, className=_side(column), role="cell", **{"data-label": column.title})
        for column, value in others
    ]
    return html.Tr([name, *cells], role="row")


def _side(column: Column) -> str:
    return "as-num as-right" if column.number else ""
