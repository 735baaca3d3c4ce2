"""Tables too long for a page: AG Grid with rows fetched from the server as they are scrolled to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dash_ag_grid as dag

from components.feature_links import feature_href
from services.types import ActivationRow

ROW_FIELDS = (
    "step",
    "token_position",
    "token_str",
    "segment",
    "is_special",
    "sae_id",
    "feature_id",
    "activation_value",
    "rank",
)
"""Columns of the rows grid: names of `ActivationRow`, by which it sorts."""

BLOCK_ROWS = 100

# colours and sizes are in assets/parts.css: the grid's parameters are CSS variables
_THEME = "themeQuartz.withPart(colorSchemeVariable)"

_NUMBER = {"type": "rightAligned", "cellClass": "as-num"}


def rows_columns() -> list[dict[str, Any]]:
    """Column definitions of the rows grid, in reading order."""
    return [
        {"field": "token_position", "headerName": "Position", "width": 88, **_NUMBER},
        {
            "field": "token_str",
            "headerName": "Token",
            "width": 150,
            "sortable": False,
            "cellClass": "as-mono",
            "valueFormatter": {"function": "visibleToken(params.value)"},
        },
        {"field": "segment", "headerName": "Part", "width": 80, "sortable": False},
        {
            "field": "is_special",
            "headerName": "Special",
            "width": 80,
            "sortable": False,
            "valueFormatter": {"function": "params.value ? 'special' : ''"},
        },
        {"field": "step", "headerName": "Step", "width": 70, **_NUMBER},
        {
            "field": "feature_id",
            "headerName": "Feature",
            "width": 88,
            "cellRenderer": "FeatureLink",
            **_NUMBER,
        },
        {"field": "label", "headerName": "Label", "width": 180, "sortable": False},
        {
            "field": "activation_value",
            "headerName": "Activation",
            "width": 100,
            "valueFormatter": {"function": "significant(params.value)"},
            **_NUMBER,
        },
        {"field": "rank", "headerName": "Rank", "width": 70, **_NUMBER},
        {"field": "sae_id", "headerName": "SAE", "width": 140},
    ]


def rows_grid(id: str | dict[str, Any], *, label: str = "Activations by position") -> dag.AgGrid:
    """Every feature at every position of a run. Answer `getRowsRequest` with `getRowsResponse`."""
    return dag.AgGrid(
        id=id,
        columnDefs=rows_columns(),
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "suppressMovable": True,
            "suppressHeaderMenuButton": True,
        },
        rowModelType="infinite",
        className="as-grid",
        style={"height": 440},
        dashGridOptions={
            "theme": {"function": _THEME},
            "rowBuffer": 0,
            "cacheBlockSize": BLOCK_ROWS,
            "maxBlocksInCache": 20,
            "rowHeight": 32,
            "headerHeight": 36,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
            "suppressDragLeaveHidesColumns": True,
        },
    )


def row_data(
    rows: Iterable[ActivationRow], labels: Mapping[tuple[str, int], str] | None = None
) -> list[dict[str, Any]]:
    """`ActivationRow`s as the grid takes them, with the labels by SAE and feature."""
    return [
        {field: getattr(row, field) for field in ROW_FIELDS}
        | {
            "label": (labels or {}).get((row.sae_id, row.feature_id), ""),
            "href": feature_href(row.sae_id, row.feature_id),
        }
        for row in rows
    ]
