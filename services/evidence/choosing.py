"""Choosing among all of a feature's activations: a range, an order, a page of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.errors import InvalidArgument
from services.evidence.requests import Order
from services.store import Activations
from services.store.values import widened

_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some activations in the order that was asked for."""

    positions: np.ndarray
    values: np.ndarray  # float32
    total: int  # that pass, on all pages
    next_cursor: str | None


def within(found: Activations, low: float | None, high: float | None) -> np.ndarray:
    """Which activations are from `low` to below `high` [n] bool; the largest of all is below
    every `high` that it equals, so that ranges that touch have each activation once.
    """
    mask = np.ones(len(found), bool)
    if (low is None and high is None) or not len(found):
        return mask
    # float64 on both sides: a bound rounded to float32 would take its neighbour in.
    values = widened(found.values)
    if low is not None:
        mask &= values >= np.float64(low)
    if high is not None:
        mask &= values <= high if high == values.max() else values < np.float64(high)
    return mask


def page(
    found: Activations, passing: np.ndarray, order: Order, seed: int, limit: int, cursor: str | None
) -> Chosen:
    """At most `limit` of those `passing`, after `cursor`."""
    at = np.flatnonzero(passing)
    key = _keys(found, at, order, seed)
    name = order if order != "random" else f"random {seed}"
    left = at if cursor is None else at[_after(cursor, name, key, found.positions[at])]
    key = key if cursor is None else _keys(found, left, order, seed)
    first = _first(key, limit)
    more = len(left) > len(first)
    shown, last = left[first], int(first[-1]) if len(first) else 0
    return Chosen(
        found.positions[shown],
        widened(found.values[shown]),
        len(at),
        f"{name}:{key[last].item()!r}:{found.positions[left[last]]}" if more else None,
    )


def _keys(found: Activations, at: np.ndarray, order: Order, seed: int) -> np.ndarray:
    """What the order is by, the smallest first; of equal ones the first position."""
    if order == "random":
        return hashes(found.positions[at], seed)
    values = widened(found.values[at])
    return -values if order == "strongest" else values


def hashes(positions: np.ndarray, seed: int) -> np.ndarray:
    """A number for each position, all different: in their order the positions are drawn at random,
    and the same ones for the same seed.
    """
    mixed = positions.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in _MIX:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _after(cursor: str, name: str, key: np.ndarray, positions: np.ndarray) -> np.ndarray:
    parts = cursor.rsplit(":", 2)
    try:
        of, last, position = parts[0], key.dtype.type(parts[1]), int(parts[2])
    except (IndexError, ValueError, OverflowError):
        of, last, position = "", key.dtype.type(0), 0
    if of != name:
        raise InvalidArgument(
            f"cursor {cursor[:80]!r} is none of a page in this order: leave it out to start anew",
            cursor=cursor[:80],
        )
    return (key > last) | ((key == last) & (positions > position))


def _first(key: np.ndarray, limit: int) -> np.ndarray:
    """Indices of the `limit` smallest keys in order, of equal ones the first."""
    if len(key) > limit:
        threshold = np.partition(key, limit - 1)[limit - 1]
        below = np.flatnonzero(key < threshold)
        at = np.concatenate([below, np.flatnonzero(key == threshold)[: limit - len(below)]])
    else:
        at = np.arange(len(key))
    return at[np.lexsort((at, key[at]))]
