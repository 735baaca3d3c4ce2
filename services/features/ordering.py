"""The order of the table, and where in it a page begins.

Equal features are in the order of their numbers, and what is not known comes last, whichever way
the rest is sorted. A cursor is the place after a feature and its value: what is labelled between
two pages moves by itself and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from services.errors import InvalidArgument
from services.features.columns import BY_NAME
from services.features.marks import TextColumn
from services.features.requests import FeatureSelection
from services.features.table import Table


@dataclass(frozen=True)
class Order:
    """The features that pass, in the order that a query asks for."""

    table: Table
    query: FeatureSelection
    chosen: np.ndarray  # ascending

    @cached_property
    def features(self) -> np.ndarray:
        """All of them, in order [n]."""
        keys = self._keys[self.chosen]
        missing = np.isnan(keys)
        there = self.chosen[~missing]
        signed = -keys[~missing] if self.query.descending else keys[~missing]
        return np.concatenate([there[np.argsort(signed, kind="stable")], self.chosen[missing]])

    def after(self, cursor: str) -> int:
        """Where in `features` the page after the cursor begins.

        Raises:
            InvalidArgument: it is no cursor, or one of another query.
        """
        value, feature = self._read(cursor)
        low, high = 0, len(self.features)
        while low < high:
            middle = (low + high) // 2
            if self._is_after(int(self.features[middle]), value, feature):
                high = middle
            else:
                low = middle + 1
        return low

    def cursor(self, feature: int) -> str:
        """The place after this feature."""
        content = [self._value(feature), feature, self._fingerprint]
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    @property
    def _is_text(self) -> bool:
        return BY_NAME[self.query.sort].kind == "text"

    @cached_property
    def _keys(self) -> np.ndarray:
        """Numbers that sort as the column does, of all features."""
        if not self._is_text:
            return self.table.numbers(self.query.sort)
        return self._texts.ranks

    @property
    def _texts(self) -> TextColumn:
        name = self.query.sort
        return next(column for text, column in self.table.marks.texts.items() if text == name)

    def _value(self, feature: int) -> Any:
        if self._is_text:
            return self._texts.sorted_by[feature].as_py()
        number = float(self._keys[feature])
        return None if np.isnan(number) else number

    def _is_after(self, feature: int, value: Any, last: int) -> bool:
        mine = self._value(feature)
        if mine is None or value is None:
            return mine is None and (value is not None or feature > last)
        if mine == value:
            return feature > last
        smaller = _bytes(mine) < _bytes(value)
        return smaller if self.query.descending else not smaller

    @cached_property
    def _fingerprint(self) -> str:
        asked = self.query.model_dump_json(exclude={"limit", "offset", "cursor", "ids"})
        ids = "" if self.query.ids is None else ",".join(map(str, self.query.ids))
        return hashlib.sha256(f"{asked} {ids}".encode()).hexdigest()[:16]

    def _read(self, cursor: str) -> tuple[Any, int]:
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            value, feature, query = json.loads(base64.urlsafe_b64decode(padded))
        except (ValueError, TypeError):
            raise InvalidArgument(
                f"cursor {cursor[:40]!r} is none: take `next_cursor` of the page before"
            ) from None
        kind = str if self._is_text else float
        fits = value is None or type(value) is kind
        if query != self._fingerprint or type(feature) is not int or not fits:
            raise InvalidArgument(
                "the cursor is of a page of another query: leave it out to begin anew"
            )
        return value, feature


def _bytes(value: Any) -> Any:
    """Texts sort by their bytes in UTF-8, as their ranks do; a cursor may hold any text."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
