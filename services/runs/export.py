"""A run as files: rows and top features as CSV or Parquet, the whole run as JSON.

CSV is made to be opened in a spreadsheet: text that a spreadsheet would take for a formula is
prefixed by an apostrophe. Numbers are never touched. Parquet and JSON carry the exact text. Each
feature carries the label that it has at that moment, "" where it has none.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from services.errors import InvalidArgument
from services.runs import analysis
from services.runs.payloads import run_document
from services.runs.queries import RowQuery, TopQuery
from services.types import Download, RunView

if TYPE_CHECKING:
    import pyarrow as pa

What = Literal["rows", "top-features", "run"]
Format = Literal["csv", "parquet", "json"]
Labels = Callable[[str, Iterable[int]], Mapping[int, str]]
"""The labels of these features of an SAE, of those that have one."""

_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "|")


def no_labels(_sae_id: str, _features: Iterable[int]) -> Mapping[int, str]:
    """What a feature is called where nobody said anything."""
    return {}


def export(
    view: RunView,
    what: What,
    format: Format,
    query: RowQuery | TopQuery,
    labels: Labels = no_labels,
) -> Download:
    """The chosen part of the run as a file whose name says the run.

    Raises:
        InvalidArgument: the part does not come in that format.
    """
    if (what == "run") != (format == "json"):
        raise InvalidArgument(
            f"{what} does not come as {format}: a run is json, tables csv, parquet"
        )
    if what == "run":
        document = run_document(view) | {"labels": _labels_of_run(view, labels)}
        content = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    else:
        table = _table(view, what, query)
        table = table.append_column("label", [_label_column(table, labels)])
        content = to_csv(table) if format == "csv" else _to_parquet(table)
    return Download(_filename(view, what, format), _MEDIA_TYPES[format], content)


def csv_safe(value: Any) -> Any:
    """Text that no spreadsheet takes for a formula; anything else unchanged."""
    if not isinstance(value, str):
        return value
    visible = unicodedata.normalize("NFKC", value).lstrip(" \u200b\ufeff\u00a0")
    return "'" + value if visible.startswith(_FORMULA_STARTS) else value


def in_filename(name: str) -> str:
    """An id as a part of the name of a file, on any system."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def to_csv(table: pa.Table) -> bytes:
    """The table as RFC 4180 CSV in UTF-8, all text quoted."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(table.column_names)
    columns = [[csv_safe(v) for v in table.column(name).to_pylist()] for name in table.column_names]
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue().encode()


def _table(view: RunView, what: What, query: RowQuery | TopQuery) -> pa.Table:
    if what == "rows" and isinstance(query, RowQuery):
        return _rows_table(analysis.row_columns(view, query), query)
    if what == "top-features" and isinstance(query, TopQuery):
        import pyarrow as pa

        return pa.Table.from_pylist(
            [asdict(f) for f in analysis.top_features(view, query)], schema=_top_schema()
        )
    raise InvalidArgument(f"{what} is not exported with {type(query).__name__}")


def _labels_of_run(view: RunView, labels: Labels) -> dict[str, dict[int, str]]:
    """By SAE and feature, of those that the document names."""
    shown = {t.sae_id: t.feature_ids[:, : t.top_k] for t in view.timelines}
    return {
        sae_id: dict(labels(sae_id, np.unique(ids[ids >= 0]).tolist()))
        for sae_id, ids in shown.items()
    }


def _label_column(table: pa.Table, labels: Labels) -> pa.Array:
    import pyarrow as pa

    saes, features = table.column("sae_id").to_pylist(), table.column("feature_id").to_pylist()
    asked: dict[str, set[int]] = {}
    for sae_id, feature in zip(saes, features, strict=True):
        asked.setdefault(sae_id, set()).add(feature)
    known = {sae_id: labels(sae_id, found) for sae_id, found in asked.items()}
    texts = [known[sae_id].get(f, "") for sae_id, f in zip(saes, features, strict=True)]
    return pa.array(texts, pa.string())


def _rows_table(columns: analysis.RowColumns, query: RowQuery) -> pa.Table:
    import pyarrow as pa

    stop = None if query.limit is None else query.offset + query.limit
    part = slice(query.offset, stop)
    tokens = [columns.tokens[p] for p in columns.position[part].tolist()]
    return pa.table(
        {
            "step": columns.step[part],
            "token_position": columns.position[part],
            "token_id": pa.array([t.token_id for t in tokens], pa.int64()),
            "token_str": pa.array([t.text for t in tokens], pa.string()),
            "segment": pa.array([t.segment.value for t in tokens], pa.string()),
            "is_special": pa.array([t.is_special for t in tokens], pa.bool_()),
            "sae_id": pa.array([columns.sae_ids[s] for s in columns.sae[part]], pa.string()),
            "feature_id": columns.feature_id[part],
            "activation_value": columns.activation[part],
            "rank": columns.rank[part],
        }
    )


def _top_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        {
            "sae_id": pa.string(),
            "feature_id": pa.int64(),
            "max_activation": pa.float64(),
            "hits": pa.int64(),
            "mean_activation": pa.float64(),
            "argmax_position": pa.int64(),
        }
    )


def _to_parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _filename(view: RunView, what: What, format: Format) -> str:
    return f"actiscope-{in_filename(view.summary.request_id)}-{what}.{format}"
