"""What follows from all activations of a feature: regions, and why to read it with care."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.store import Activations
from services.store.values import widened
from services.stores.reading import Reading
from services.types.features import ActivationRegion, FeatureWarning

# Shares of the effective maximum at which regions begin.
REGIONS = (
    ("floor", 0.0),
    ("low", 0.01),
    ("below core", 0.1),
    ("core", 0.25),
    ("high", 0.75),
    ("peak", 0.9),
)
EFFECTIVE = 0.995  # quantile of the activations that is the effective maximum

FEW = 30  # activations
MOST = 0.9  # share of the activations that makes a warning
DENSE = 0.1  # of the counted tokens
_COUNTED = 2**20  # numbers below it are counted in an array
_DOCUMENTS_FOR_PLACES = 5  # in which it must fire before its place in them says something


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one feature over a whole store."""

    regions: tuple[ActivationRegion, ...]
    warnings: tuple[FeatureWarning, ...]


def facts(reading: Reading, feature: int) -> Facts:
    """Reads all activations of the feature, and the tokens they are at."""
    found = reading.store.feature(feature)
    regions = regions_of(found)
    return Facts(regions, tuple(_warnings(reading, found, regions)))


def effective_maximum(values: np.ndarray) -> float | None:
    """The smallest activation that at least 99.5 % of the activations do not exceed; None where
    it is not positive.
    """
    if not len(values):
        return None
    rank = max(int(np.ceil(EFFECTIVE * len(values) - 1e-9)), 1) - 1
    largest = float(np.partition(values, rank)[rank])
    return largest if largest > 0 else None


def regions_of(found: Activations) -> tuple[ActivationRegion, ...]:
    """How many activations are in each region; together these are all."""
    values = widened(found.values).astype(np.float64)
    top = effective_maximum(values)
    if top is None:
        return ()
    inner = np.array([share * top for _, share in REGIONS[1:]])
    counts = np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(REGIONS))
    ends = [min(float(values.min()), 0.0), *inner.tolist(), max(float(values.max()), inner[-1])]
    return tuple(
        ActivationRegion(name, ends[i], float(ends[i + 1]), n, n / len(values))
        for i, ((name, _), n) in enumerate(zip(REGIONS, counts.tolist(), strict=True))
    )


def _warnings(
    reading: Reading, found: Activations, regions: tuple[ActivationRegion, ...]
) -> Iterator[FeatureWarning]:
    n, counted = len(found), reading.store.n_counted
    if n == 0:
        yield FeatureWarning("dead", f"It never fires on the {counted:,} tokens of the corpus.")
        return
    if n < FEW:
        yield FeatureWarning("few_examples", f"Few examples: {_activations(n)}, fewer than {FEW}.")
    low = sum(region.n for region in regions[:3])
    if regions and low / n >= MOST:
        yield FeatureWarning(
            "mostly_low",
            f"Mostly low: {low / n:.0%} of {_activations(n)} are below a quarter of the "
            f"effective maximum {regions[-1].low / REGIONS[-1][1]:.3g}.",
        )
    yield from _one_of_a_kind(reading, found)
    if n / max(counted, 1) >= DENSE:
        yield FeatureWarning(
            "dense", f"Dense: it fires on {n / counted:.0%} of the {counted:,} tokens."
        )


def _one_of_a_kind(reading: Reading, found: Activations) -> Iterator[FeatureWarning]:
    store, n = reading.store, len(found)
    token_id, share = _commonest(store.token_ids_at(found.positions))
    if n > 1 and share >= MOST:
        name = _named(reading, token_id)
        yield FeatureWarning(
            "one_token", f"One token: {share:.0%} of {_activations(n)} are at {name}."
        )
    documents = store.documents_at(found.positions)
    document, share = _commonest(documents)
    if n > 1 and share >= MOST:
        yield FeatureWarning(
            "one_document",
            f"One document: {share:.0%} of {_activations(n)} are in document {document}.",
        )
        return
    if np.count_nonzero(np.diff(documents)) + 1 < _DOCUMENTS_FOR_PLACES:
        return
    place, share = _commonest(found.positions.astype(np.int64) - store.document_starts(documents))
    if share >= MOST:
        yield FeatureWarning(
            "one_position",
            f"One position: {share:.0%} of {_activations(n)} are at token {place} of their "
            "document, counted from 0.",
        )


def _commonest(numbers: np.ndarray) -> tuple[int, float]:
    """The number that is there most often, and its share."""
    if numbers.max() < _COUNTED:  # several times faster than sorting
        counts = np.bincount(numbers)
        return int(counts.argmax()), float(counts.max() / len(numbers))
    values, counts = np.unique(numbers, return_counts=True)
    return int(values[counts.argmax()]), float(counts.max() / len(numbers))


def _named(reading: Reading, token_id: int) -> str:
    if reading.vocabulary is None:
        return f"token {token_id}"
    return f"the token “{reading.vocabulary.texts(np.array([token_id]))[0]}”"


def _activations(n: int) -> str:
    return f"{n:,} activation" + ("" if n == 1 else "s")
