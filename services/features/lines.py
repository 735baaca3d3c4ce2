"""Features of the table as they are shown."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from services.features.columns import OF_DECODER, OF_STORE, WHOLE
from services.features.table import Table
from services.features.texts import TextTable
from services.types.features import FeatureLine

_STATISTICS = (*OF_STORE, *OF_DECODER)


def lines(table: Table, features: Iterable[int]) -> list[FeatureLine]:
    """The features, in this order."""
    ids = [int(feature) for feature in features]
    at, basis = np.array(ids, np.int64), table.basis
    names = [*_STATISTICS, *(name for name in table.asked if name != "fires")]
    columns = {name: _values(name, table.numbers(name)[at]) for name in names}
    fires = _values("fires", table.numbers("fires")[at])
    texts = basis.texts
    tokens = _lists(None if texts is None else texts.top_tokens, at)
    examples = _lists(None if texts is None else texts.examples, at)
    marks = _marks(texts, at)
    promoted = _lists(basis.promoted, at)
    return [
        FeatureLine(
            feature_id=feature,
            marks=table.marks.of(feature),
            statistics={name: column[i] for name, column in columns.items()},
            top_tokens=tokens[i],
            example=next(iter(examples[i]), None),
            promoted=promoted[i],
            fires=fires[i],
            example_mark=marks[i],
        )
        for i, feature in enumerate(ids)
    ]


def _values(name: str, numbers: np.ndarray) -> list[float | None]:
    kind = int if name in WHOLE else float
    return [None if np.isnan(number) else kind(number) for number in numbers.tolist()]


def _marks(texts: TextTable | None, at: np.ndarray) -> list[tuple[int, int] | None]:
    if texts is None:
        return [None] * len(at)
    columns = (
        column.take(pa.array(at)).to_pylist() for column in (texts.mark_start, texts.mark_stop)
    )
    return [None if start is None else (start, stop) for start, stop in zip(*columns, strict=True)]


def _lists(column: pa.Array | None, at: np.ndarray) -> list[tuple[str, ...]]:
    if column is None:
        return [()] * len(at)
    return [tuple(items or ()) for items in column.take(pa.array(at)).to_pylist()]
