"""Text search over the corpus: the places where it stands, and the features that fire there."""

from __future__ import annotations

import math

import numpy as np

from services.stores.contexts import context
from services.stores.finding import Found, find
from services.stores.reading import Reading
from services.stores.requests import TextQuery
from services.types.stores import SearchedFeature, SearchMatch, SearchResult

_LEAST_SHARE, _LEAST_N = 1 / 20, 2  # of the found tokens, for a feature to be listed
_MATCHES_AT_ONCE = 1000


def search(reading: Reading, query: TextQuery) -> SearchResult:
    """The matches of a text, and the features that fire on their tokens, by lift.

    Raises:
        Unsupported: the store has no vocabulary.
    """
    found = find(
        reading.store,
        reading.required_vocabulary,
        query.text,
        case_sensitive=query.case_sensitive,
        start=query.start,
    )
    positions = np.unique(_tokens_of(found.first, found.last)[1])
    counted = positions[reading.store.counted_at(positions)]
    return SearchResult(
        n_matches=len(found.first),
        n_tokens=len(counted),
        searched=max(found.searched_to - query.start, 0),
        next_start=found.searched_to if found.searched_to < reading.store.n_tokens else None,
        matches=_matches(reading, found, query),
        features=_features(reading, found, counted, query),
    )


def _matches(reading: Reading, found: Found, query: TextQuery) -> tuple[SearchMatch, ...]:
    cut = slice(query.limit)
    shown = zip(found.first[cut].tolist(), found.last[cut].tolist(), strict=True)
    return tuple(_match(reading, first, last + 1, query.width) for first, last in shown)


def _match(reading: Reading, start: int, stop: int, width: int) -> SearchMatch:
    around = context(reading, start, width, span=stop - start)
    return SearchMatch(around.document, start, stop, around)


def _features(
    reading: Reading, found: Found, counted: np.ndarray, query: TextQuery
) -> tuple[SearchedFeature, ...]:
    n, largest = _fired(reading, counted)
    listed = np.flatnonzero(n >= (query.min_n or _least(len(counted))))
    share = n[listed] / max(len(counted), 1)
    density = reading.counts[listed] / max(reading.store.n_counted, 1)
    lift = share / density
    order = np.lexsort((listed, -n[listed], -lift))[: query.features]
    n_matches = _matches_of(reading, found, listed[order])
    columns = (listed, n[listed], share, density, lift, largest[listed])
    rows = zip(*(column[order].tolist() for column in columns), n_matches.tolist(), strict=True)
    return tuple(SearchedFeature(*row) for row in rows)


def _least(n_tokens: int) -> int:
    usual = max(_LEAST_N, math.ceil(n_tokens * _LEAST_SHARE))
    return max(min(usual, n_tokens), 1)


def _fired(reading: Reading, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per feature [d_sae]: tokens among `positions` where it fires, its largest value there."""
    d_sae = reading.store.spec.d_sae
    n, largest = np.zeros(d_sae, np.int64), np.full(d_sae, -np.inf)
    for features, values, _ in reading.store.at(positions):
        n += np.bincount(features, minlength=d_sae)
        np.maximum.at(largest, features, values.astype(np.float64))
    return n, largest


def _matches_of(reading: Reading, found: Found, features: np.ndarray) -> np.ndarray:
    """In how many matches each of the features fires [len(features)]."""
    row = np.full(reading.store.spec.d_sae, -1)
    row[features] = np.arange(len(features))
    n = np.zeros(len(features), np.int64)
    for begin in range(0, len(found.first), _MATCHES_AT_ONCE):
        cut = slice(begin, begin + _MATCHES_AT_ONCE)
        match, position = _tokens_of(found.first[cut], found.last[cut])
        order = np.argsort(position, kind="stable")
        seen = np.zeros((len(features), len(found.first[cut])), bool)
        for fired, _, index in reading.store.at(position[order]):
            listed = row[fired] >= 0
            seen[row[fired[listed]], match[order][index[listed]]] = True
        n += seen.sum(1)
    return n


def _tokens_of(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of all matches: number of the match, and position."""
    lengths = last - first + 1
    match = np.repeat(np.arange(len(first)), lengths)
    within = np.arange(len(match)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return match, first[match] + within
