"""Positions that show a feature: those with its largest values, and some of each interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.store.statistics.blocks import Block, SortedValues
from services.store.statistics.distribution import span
from services.store.values import widened

_CANDIDATES = 20  # expected per interval; that fewer than are needed turn up is rare, and seen
_ALL = np.uint32(2**32 - 1)


@dataclass(frozen=True, slots=True)
class Examples:
    """Some activations, feature by feature."""

    feature: np.ndarray  # [m] within the block, ascending
    position: np.ndarray  # [m] uint32
    value: np.ndarray  # [m]
    interval: np.ndarray  # [m] uint8, all 0 where there are no intervals


def top_examples(ordered: SortedValues, m: int) -> Examples:
    """The `m` largest values of each feature, largest first; of equal ones the first positions."""
    block = ordered.block
    fires = np.flatnonzero(block.counts)
    n = block.counts[fires]
    threshold = np.zeros(block.n_features, ordered.codes.dtype)
    threshold[fires] = ordered.codes[block.indptr[fires] + np.maximum(n - m, 0)]
    room = np.zeros(block.n_features, np.int64)  # for values that equal the threshold
    above = n - ordered.below(fires, threshold[fires].astype(np.int64) + 1)
    room[fires] = np.minimum(n, m) - above
    taken = []
    for chunk in block.chunks():
        codes, least = ordered.unsorted[chunk], block.expanded(threshold)
        taken.append(np.flatnonzero(codes > least) + chunk.start)
        equal = np.flatnonzero(codes == least) + chunk.start
        features = _features_at(block, equal)
        first = _rank_in_group(features) < room[features]
        room -= np.bincount(features[first], minlength=block.n_features)
        taken.append(equal[first])
    at = np.sort(np.concatenate(taken)) if taken else np.empty(0, np.int64)
    at = at[np.lexsort((at, ~ordered.unsorted[at], _features_at(block, at)))]
    return _at(block, at, np.zeros(len(at), np.uint8))


def interval_examples(
    block: Block, low: np.ndarray, high: np.ndarray, intervals: int, m: int
) -> Examples:
    """At most `m` activations of each of `intervals` equal parts of the feature's `span`, drawn
    at random but always the same ones: those whose hash of position and feature is smallest.

    A value within float32 rounding of an edge may be in either interval.
    """
    counts = np.zeros(block.n_features * intervals, np.int64)
    for chunk in block.chunks():
        counts += np.bincount(_cells(block, chunk, low, high, intervals), minlength=len(counts))
    share = np.ceil(2.0**32 * _CANDIDATES / np.maximum(counts, 1))
    limits = np.where(counts <= _CANDIDATES, _ALL, np.minimum(share, _ALL)).astype(np.uint32)
    at, cells, hashes = _candidates(block, low, high, intervals, limits)
    short = np.bincount(cells, minlength=len(counts)) < np.minimum(counts, m)
    if short.any():
        more = _candidates(block, low, high, intervals, np.where(short, _ALL, np.uint32(0)))
        kept, new = ~short[cells], short[more[1]]
        pairs = zip((at, cells, hashes), more, strict=True)
        at, cells, hashes = (np.concatenate([old[kept], late[new]]) for old, late in pairs)
    order = np.argsort(cells.astype(np.uint64) << np.uint64(32) | hashes)  # hashes all differ
    order = order[_rank_in_group(cells[order]) < m]
    return _at(block, at[order], (cells[order] % intervals).astype(np.uint8))


def _candidates(
    block: Block, low: np.ndarray, high: np.ndarray, intervals: int, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index, cell and hash of the activations whose hash does not exceed their cell's limit."""
    found = []
    for chunk in block.chunks():
        cells = _cells(block, chunk, low, high, intervals)
        hashes = _hashes(block, chunk)
        at = np.flatnonzero(hashes <= limits[cells])
        found.append((at + chunk.start, cells[at], hashes[at]))
    if not found:
        empty = np.empty(0, np.int64)
        return empty, empty, empty.astype(np.uint32)
    at, cells, hashes = (np.concatenate(column) for column in zip(*found, strict=True))
    return at, cells, hashes


def _cells(
    block: Block, chunk: slice, low: np.ndarray, high: np.ndarray, intervals: int
) -> np.ndarray:
    """Feature within the block times `intervals`, plus the interval of the value."""
    kind = np.dtype(np.float32 if block.values.dtype == np.float16 else np.float64)
    first, last = span(low, high)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = (intervals / (last - first)).astype(kind)
    place = widened(block.values[chunk]).astype(kind, copy=False)
    if first.any():
        place -= block.expanded(first.astype(kind))
    place *= block.expanded(scale)
    cells = np.minimum(place.astype(np.int32), intervals - 1)
    cells += block.expanded(np.arange(block.n_features, dtype=np.int32) * intervals)
    return cells


def _hashes(block: Block, chunk: slice) -> np.ndarray:
    """A mixing in which every bit depends on every bit of the position; within a feature no two
    positions have the same.
    """
    numbers = np.arange(block.first, block.first + block.n_features, dtype=np.uint32)
    mixed = block.positions[chunk] * np.uint32(0x9E3779B1)
    mixed += block.expanded(numbers * np.uint32(0x85EBCA77))
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(factor)
    return mixed ^ (mixed >> np.uint32(15))


def _at(block: Block, at: np.ndarray, interval: np.ndarray) -> Examples:
    return Examples(_features_at(block, at), block.positions[at], block.values[at], interval)


def _features_at(block: Block, at: np.ndarray) -> np.ndarray:
    return np.searchsorted(block.indptr, at, side="right") - 1


def _rank_in_group(groups: np.ndarray) -> np.ndarray:
    """Of each of the ascending `groups`, how many before it are equal."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups)
