"""Where an extraction is, and what of it must be remembered to go on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from services.extraction.plan import Plan
from services.extraction.standing import Series
from services.extraction.windows import Place, Pool


class Reached:
    """The places at which pools began since the last token that every store has for good."""

    def __init__(self, plan: Plan, checkpoint: Mapping[str, Any] | None = None) -> None:
        kept = checkpoint or {}
        self._plan = plan
        self.series = Series(*map(list, kept.get("series", ([], []))))
        self._places = [Place(*values) for values in kept.get("places", [])] or [Place()]
        self._seconds, self._began = float(kept.get("seconds", 0.0)), time.monotonic()

    @property
    def seconds(self) -> float:
        """Of work, over all attempts."""
        return self._seconds + time.monotonic() - self._began

    @property
    def last(self) -> Place:
        """Behind the last pool."""
        return self._places[-1]

    def start(self, sealed: int) -> Place:
        """Where to go on, when all stores have `sealed` tokens: at a pool's beginning."""
        before = [place for place in self._places if place.position <= sealed]
        self._places = [before[-1] if before else Place()]
        return self._places[0]

    def add(self, pool: Pool) -> None:
        """A pool was given to the stores."""
        self._places.append(pool.after)
        self.series.add(self.seconds, pool.after.position)

    def checkpoint(self, sealed: int) -> dict[str, Any]:
        """What a later attempt needs. JSON values."""
        later = [p for p in self._places if p.position > sealed]
        before = [p for p in self._places if p.position <= sealed][-1:]
        self._places = [*before, *later]
        return {
            "plan": self._plan.as_json(),
            "places": [place.as_json() for place in self._places],
            "seconds": round(self.seconds, 1),
            "series": [self.series.seconds, self.series.tokens],
        }


class Expected:
    """How many tokens there will be, told from the characters that were read."""

    def __init__(self, lengths: np.ndarray, chosen: np.ndarray | None, most: int | None) -> None:
        counted = lengths if chosen is None else np.where(chosen, lengths, 0)
        self._ends = np.concatenate([[0], np.cumsum(counted)])
        self._most = most

    def total(self, place: Place) -> int | None:
        """Tokens in all, as it looks from `place`; None where nothing was read yet."""
        n_chars = int(self._ends[min(place.document, len(self._ends) - 1)])
        if not n_chars or not place.position:
            return self._most
        expected = max(round(place.position * int(self._ends[-1]) / n_chars), place.position)
        return expected if self._most is None else min(expected, self._most)
