"""What a benchmark finds, and the arithmetic that all of them share."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """One measured figure. Smaller is better, whatever the unit."""

    name: str
    value: float
    unit: str  # "×" for a ratio to the anchor
    anchor: str  # what it is measured against, in words
    repetitions: int
    spread: tuple[float, float]  # lower and upper quartile over the repetitions
    goal: float | None = None  # at most this
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def meets_goal(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        return None if self.goal is None else self.value <= self.goal

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "spread": list(self.spread), "meets_goal": self.meets_goal}


class Skipped(Exception):
    """The benchmark cannot run on this machine; the message says what is missing."""


Samples = dict[str, list[float]]


def interleaved(sides: Mapping[str, Callable[[], float]], repetitions: int) -> Samples:
    """`repetitions` measurements of each side, in turn, so that drift touches all alike.

    Every other round goes backwards: no side always runs after the same one.
    """
    samples: Samples = {name: [] for name in sides}
    for repetition in range(repetitions):
        names = list(sides)[:: -1 if repetition % 2 else 1]
        for name in names:
            samples[name].append(sides[name]())
    return samples


def ratio(ours: Sequence[float], anchor: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Ratio of the medians, and the quartiles of the rounds' own ratios."""
    value = statistics.median(ours) / statistics.median(anchor)
    return value, quartiles([a / b for a, b in zip(ours, anchor, strict=True)])


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Lower and upper quartile."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(int(rank), 1) - 1]
