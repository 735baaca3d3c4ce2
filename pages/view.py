"""What of a run is on the screen: the state that the URL carries and the browser's store holds."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator

from pages.url_state import UrlState
from services.runs.queries import FeatureId, Position, RowQuery, TopQuery
from services.runs.request import Identifier, ModelId
from services.types import Segment


class View(UrlState):
    """The chosen run, SAE, feature, token and filters; None where nothing is chosen."""

    run: Identifier | None = None
    sae: ModelId | None = None
    feature: FeatureId | None = None  # pinned: coloured by, followed in the deltas
    token: Position | None = None  # pinned position
    segment: Segment | None = None
    special: bool | None = None  # whether BOS and template tokens are shown and counted
    row_feature: FeatureId | None = None
    row_from: Position | None = None
    row_to: Position | None = None
    row_rank: int | None = None

    @field_validator("row_rank")
    @classmethod
    def _rank_in_range(cls, rank: int | None) -> int | None:
        return rank if rank is not None and 1 <= rank <= 200 else None

    def row_query(self, sae_id: str | None, **paging: Any) -> RowQuery:
        """The rows of the SAE that the grid is to show."""
        return RowQuery.parse(
            {
                "sae_id": sae_id,
                "feature_id": self.row_feature,
                "token_start": self.row_from,
                "token_end": self.row_to,
                "rank_max": self.row_rank,
                "segment": self.segment,
                "include_special": bool(self.special),
                **paging,
            }
        )

    def top_query(self, sae_id: str, **size: int) -> TopQuery:
        """The features of the SAE that the ranking is to show."""
        return TopQuery(
            sae_id=sae_id, segment=self.segment, include_special=bool(self.special), **size
        )
