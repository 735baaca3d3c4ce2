"""Features side by side."""

from __future__ import annotations

from services.comparison.requests import CompareQuery
from services.types.features import FeatureComparison


class Comparisons:
    """Compares features of one SAE or of several."""

    def compare(self, query: CompareQuery) -> FeatureComparison:
        """The features side by side."""
        raise NotImplementedError
