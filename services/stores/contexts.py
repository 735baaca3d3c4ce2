"""Tokens of a store as they read: around a position, in a document, with what fires at them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from services.store import Activations
from services.store.parts import TokenRows
from services.stores.reading import Reading
from services.stores.requests import ContextQuery
from services.types.stores import FiredFeature, StoreContext, StoreToken, TokenFeatures


def context(
    reading: Reading,
    position: int,
    width: int,
    *,
    span: int = 1,
    across: bool = False,
    found: Activations | None = None,
) -> StoreContext:
    """`span` tokens from `position` on and those around them, with the values of the feature that
    was `found` at each.
    """
    around = reading.store.context(position, width + span - 1, across=across)
    start = max(around.start, position - width)
    ids, vocabulary = around.token_ids[start - around.start :], reading.vocabulary
    pieces = vocabulary.pieces(ids) if vocabulary else []
    return StoreContext(
        position=position,
        document=int(reading.store.documents_at(np.array([position]))[0]),
        start=start,
        token_ids=tuple(ids.tolist()),
        tokens=texts(reading, ids),
        pieces=tuple(pieces),
        text="".join(pieces) if vocabulary else None,
        values=_values(found, start, len(ids)) if found is not None else None,
    )


def asked(reading: Reading, position: int, query: ContextQuery) -> StoreContext:
    """The context that a query asks for."""
    found = None if query.feature is None else reading.store.feature(query.feature)
    return context(reading, position, query.width, across=query.across, found=found)


def texts(reading: Reading, ids: np.ndarray) -> tuple[str | None, ...]:
    """What each token reads as; None without a vocabulary."""
    if reading.vocabulary is None:
        return (None,) * len(ids)
    return tuple(reading.vocabulary.texts(ids))


def token_names(reading: Reading, ids: np.ndarray) -> list[str]:
    """What each token reads as; its number in brackets where the store does not say."""
    named = zip(ids.tolist(), texts(reading, ids), strict=True)
    return [f"[{i}]" if text is None else text for i, text in named]


def _values(found: Activations, start: int, n: int) -> tuple[float, ...]:
    # In the type of the positions: these would be copied otherwise, all of them.
    first, last = np.array([start, start + n - 1], found.positions.dtype)
    low = np.searchsorted(found.positions, first)
    high = np.searchsorted(found.positions, last, side="right")
    values = np.zeros(n, np.float32)
    values[found.positions[low:high].astype(np.int64) - start] = found.values[low:high]
    return tuple(values.tolist())


def tokens(reading: Reading, rows: TokenRows) -> tuple[StoreToken, ...]:
    """The tokens of some rows."""
    columns = (
        range(rows.start, rows.start + len(rows.token_ids)),
        rows.token_ids.tolist(),
        texts(reading, rows.token_ids),
        rows.counted.tolist(),
        rows.starts.tolist(),
    )
    return tuple(StoreToken(*token) for token in zip(*columns, strict=True))


def token_features(reading: Reading, start: int, count: int, top: int) -> tuple[TokenFeatures, ...]:
    """What fires at `count` tokens from `start`, as many as there are: `top` of each."""
    stop = min(start + count, reading.store.n_tokens)
    rows = reading.store.tokens(start, max(stop, start + 1))
    numbers = reading.store.documents_at(np.arange(start, start + len(rows.token_ids)))
    listed = zip(tokens(reading, rows), numbers.tolist(), _fired(rows, top), strict=True)
    return tuple(TokenFeatures(token, number, *fired) for token, number, fired in listed)


def _fired(rows: TokenRows, top: int) -> Iterator[tuple[int, tuple[FiredFeature, ...]]]:
    for row in range(len(rows.token_ids)):
        cut = slice(rows.indptr[row], rows.indptr[row + 1])
        features, values = rows.features[cut], rows.values[cut].astype(np.float32)
        order = np.lexsort((features, -values))[:top]
        pairs = zip(features[order].tolist(), values[order].tolist(), strict=True)
        yield len(features), tuple(FiredFeature(*pair) for pair in pairs)
