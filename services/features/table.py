"""The table that one query is answered from: store, decoder and labels side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from services.errors import NotFound, Unavailable
from services.features.basis import Basis
from services.features.columns import BY_NAME
from services.features.marks import MarkColumns
from services.features.requests import FeatureSelection, SearchField
from services.features.searching import matching
from services.sae.feature_ids import require_feature


@dataclass(frozen=True)
class Table:
    """All features; `asked` are the columns that follow from the query itself."""

    basis: Basis
    marks: MarkColumns
    asked: dict[str, np.ndarray] = field(default_factory=dict)

    def numbers(self, column: str) -> np.ndarray:
        """A column of numbers or flags [n_features] float64, NaN where nothing is known."""
        if column == "feature":
            return self.basis.features
        found = self.marks.numbers.get(column)
        if found is None:
            found = self.asked.get(column, self.basis.numbers.get(column))
        return np.full(self.basis.n_features, np.nan) if found is None else found

    def known(self, column: str) -> np.ndarray:
        """The same, of a column that features are filtered by.

        Raises:
            Unavailable: the store still fills.
            NotFound: nothing has been read yet that it could be known from.
        """
        needs, source = BY_NAME[column].needs, self.basis.source
        if needs in ("store", "decoder") and column not in self.basis.numbers:
            if needs == "store" and source is not None:
                raise Unavailable(
                    f"{column} of all features is there once the store {source.store_id} is "
                    "complete; until then n and token_density"
                )
            raise NotFound(
                f"{column} of the features of SAE {self.basis.sae_id} is not known yet: an "
                f"extraction finds it (`actiscope extract --sae {self.basis.sae_id} --corpus …`, "
                "or the page Extractions)",
                sae_id=self.basis.sae_id,
            )
        return self.numbers(column)

    def passing(self, query: FeatureSelection) -> np.ndarray:
        """The features that pass all filters, ascending."""
        kept = np.ones(self.basis.n_features, bool)
        for column, low, high in query.ranges:
            numbers = self.known(column)
            with np.errstate(invalid="ignore"):
                kept &= numbers >= (-np.inf if low is None else low)
                kept &= numbers <= (np.inf if high is None else high)
        if query.dead is not None:
            kept &= (self.known("n") == 0) == query.dead
        self._by_marks(kept, query)
        self._by_lists(kept, query)
        chosen = np.flatnonzero(kept)
        if query.text:
            columns = (self._texts(field) for field in query.search_in)
            chosen = matching([c for c in columns if c is not None], query.text, chosen)
        return chosen

    def _by_marks(self, kept: np.ndarray, query: FeatureSelection) -> None:
        texts = self.marks.texts
        if query.label != "any":
            kept &= texts["label"].there == (query.label == "labelled")
        if query.category is not None:
            kept &= texts["category"].equal(query.category)
        if query.source is not None:
            kept &= texts["source"].equal(query.source.value)
        if query.starred is not None:
            kept &= (self.marks.numbers["starred"] > 0) == query.starred
        if query.skipped is not None:
            kept &= texts["skipped"].there == query.skipped

    def _by_lists(self, kept: np.ndarray, query: FeatureSelection) -> None:
        if query.ids is not None:
            for edge in (min(query.ids, default=0), max(query.ids, default=0)):
                require_feature(self.basis.sae_id, edge, self.basis.n_features)
            kept &= _among(query.ids, len(kept))
        if query.neighbour_of is not None:
            kept &= ~np.isnan(self.numbers("cosine"))
        if query.fires_on is not None:
            fires, least = self.numbers("fires"), query.min_fires
            with np.errstate(invalid="ignore"):
                kept &= ~np.isnan(fires) if least is None else fires >= least

    def _texts(self, field: SearchField) -> pa.Array | None:
        if field == "label" or field == "notes":
            return self.marks.texts[field].lowered
        return self.basis.searched(field)


def spread(n: int, features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A column that has values at some features, NaN elsewhere."""
    found = np.full(n, np.nan)
    found[features] = values
    return found


def _among(ids: Sequence[int], n: int) -> np.ndarray:
    found = np.zeros(n, bool)
    found[np.fromiter(ids, np.int64)] = True
    return found
