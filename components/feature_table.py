"""The table of all features of an SAE: a grid whose rows the server sorts, filters and counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import dash_ag_grid as dag

from components.amounts import count_text
from components.feature_links import feature_href
from services.types.features import ColumnInfo, FeatureLine

BLOCK_ROWS = 100
COLUMNS = ("label", "category", "token_density", "n", "max", "mean", "top_tokens", "promoted",
           "example")  # fmt: skip
"""What is shown of an SAE that has read a corpus, beside star and number."""

WITHOUT_STORE = ("label", "category", "source", "max_cosine", "logit_max", "promoted")
"""What is shown of an SAE that has read none."""

ALWAYS = ("starred", "feature")
_FIRST = ("fires", "cosine", *COLUMNS)  # where they stand, if they are shown

# cells and formatters are in assets/actiscope_features.js, colours and sizes in assets/features.css
_THEME = "themeQuartz.withPart(colorSchemeVariable)"
_NUMBER = {"type": "rightAligned", "cellClass": "as-num"}
_WHOLE = {"feature", "n", "n_documents", "n_labels"}
_SHARES = {"document_density", "confidence"}
_OWN: dict[str, dict[str, Any]] = {
    "starred": {
        "headerName": "★",
        "width": 44,
        "pinned": "left",
        "cellRenderer": "FeatureStar",
        "cellClass": "as-cell-star",
        "resizable": False,
    },
    "feature": {
        "headerName": "#",
        "width": 84,
        "pinned": "left",
        "cellRenderer": "FeatureLink",
        "cellClass": "as-num as-right",
    },
    "label": {"width": 190, "cellRenderer": "FeatureLabel"},
    "category": {"width": 116},
    "source": {"width": 110},
    "skipped": {"width": 160},
    "token_density": {"width": 116, "cellRenderer": "FeatureDensity"},
    "top_tokens": {"width": 250, "cellRenderer": "FeatureTokens"},
    "promoted": {"width": 250, "cellRenderer": "FeatureTokens"},
    "example": {"width": 420, "cellRenderer": "FeatureExample"},
}


def grid_columns(
    columns: Iterable[ColumnInfo], shown: Collection[str], order: tuple[str, bool]
) -> list[dict[str, Any]]:
    """Column definitions: all columns, of which `shown` are visible; sorted by `order` at first."""
    sort, descending = order
    known = {column.name: column for column in columns}
    names = dict.fromkeys([*ALWAYS, *_FIRST, *known])
    found = []
    for column in (known[name] for name in names if name in known):
        one = {
            "field": column.name,
            "headerName": column.title,
            "headerTooltip": column.definition,
            "sortable": column.is_sortable,
            "initialHide": column.name not in ALWAYS and column.name not in shown,
            # a first click on a number shows the largest
            "sortingOrder": ["desc", "asc", None] if _is_size(column) else ["asc", "desc", None],
            **_look(column),
        }
        if column.name == sort:
            one["initialSort"] = "desc" if descending else "asc"
        found.append(one)
    return found


def feature_grid(id: str, columns: list[dict[str, Any]], stars: str) -> dag.AgGrid:
    """The grid. Answer `getRowsRequest` with `getRowsResponse`; stars go to the store `stars`."""
    return dag.AgGrid(
        id=id,
        columnDefs=columns,
        defaultColDef={
            "resizable": True,
            "suppressMovable": True,
            "suppressHeaderMenuButton": True,
            "filter": False,
            "tooltipComponentParams": {},
        },
        rowModelType="infinite",
        className="as-grid as-feature-grid",
        style={"height": "max(420px, calc(100vh - 300px))"},
        getRowId="params.data.id",
        eventListeners={"cellKeyDown": ["pressInCell(params)"]},
        dashGridOptions={
            "theme": {"function": _THEME},
            "context": {"stars": stars},
            "rowBuffer": 0,
            "cacheBlockSize": BLOCK_ROWS,
            "maxBlocksInCache": 20,
            "maxConcurrentDatasourceRequests": 1,
            "rowHeight": 36,
            "headerHeight": 36,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
            "suppressDragLeaveHidesColumns": True,
            "tooltipShowDelay": 400,
            "rowSelection": {
                "mode": "multiRow",
                "checkboxes": True,
                "headerCheckbox": False,
                "enableClickSelection": False,
            },
            "selectionColumnDef": {
                "headerName": "✓",
                "headerTooltip": "Selected, to be edited together",
                "pinned": "left",
                "width": 44,
                "resizable": False,
            },
        },
    )


def feature_rows(
    sae_id: str, lines: Iterable[FeatureLine], store_id: str | None = None
) -> list[dict[str, Any]]:
    """Lines of the table as the grid takes them."""
    return [_row(sae_id, line, store_id) for line in lines]


def total_text(total: int, n_features: int) -> str:
    """How many features pass, of how many."""
    if total == n_features:
        return f"{count_text(total)} features"
    return f"{count_text(total)} of {count_text(n_features)} features"


def column_choices(columns: Sequence[ColumnInfo]) -> list[ColumnInfo]:
    """The columns that a reader may show or hide."""
    return [c for c in columns if c.name not in ALWAYS and c.needs != "query"]


def _row(sae_id: str, line: FeatureLine, store_id: str | None) -> dict[str, Any]:
    marks, label = line.marks, line.marks.label
    row: dict[str, Any] = dict(line.statistics)
    row |= {
        "id": str(line.feature_id),
        "feature": line.feature_id,
        "href": feature_href(sae_id, line.feature_id, store=store_id),
        "starred": marks.is_starred,
        "n_labels": marks.n_labels,
        "skipped": marks.skipped,
        "label": label and label.text,
        "category": label and label.category,
        "source": label and label.source.value,
        "confidence": label and label.confidence,
        "top_tokens": list(line.top_tokens),
        "promoted": list(line.promoted),
        "example": line.example,
        "mark": line.example_mark and list(line.example_mark),
        "fires": line.fires,
    }
    return row


def _is_size(column: ColumnInfo) -> bool:
    return column.kind == "flag" or (column.kind == "number" and column.name != "feature")


def _look(column: ColumnInfo) -> dict[str, Any]:
    if column.name in _OWN:
        return _OWN[column.name]
    if column.kind != "number":
        return {"width": 150}
    name = column.name
    form = "shareOfOne" if name in _SHARES else "wholeNumber" if name in _WHOLE else "measured"
    width = 92 + 6 * max(0, len(column.title) - 5)  # that of the heading with its arrow
    return {"valueFormatter": {"function": f"{form}(params.value)"}, "width": width, **_NUMBER}
