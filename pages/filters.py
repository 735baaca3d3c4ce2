"""Which runs the list shows: the filters that its URL carries."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from pages.url_state import UrlState
from services.runs.queries import FeatureId, RunQuery
from services.runs.request import ModelId
from services.types import RunStatus


class Filters(UrlState):
    """What a run must be to be listed; a filter that makes no sense is dropped, not an error."""

    model_config = ConfigDict(str_strip_whitespace=True)

    text: str | None = Field(None, min_length=1, max_length=500)
    status: RunStatus | None = None
    model: ModelId | None = None
    sae: ModelId | None = None
    feature: FeatureId | None = None  # of the chosen SAE: runs in which it fired …
    above: float | None = Field(None, allow_inf_nan=False)  # … above this value

    def query(self, cursor: Any = None, **size: int) -> RunQuery:
        """The page of runs behind `cursor`.

        A feature is one of an SAE: without one the filters by feature are left out.

        Raises:
            InvalidArgument: the cursor is not one of ours.
        """
        fired = {"feature_id": self.feature, "min_activation": self.above}
        has_feature = self.sae is not None and self.feature is not None
        return RunQuery.parse(
            {
                **(fired if has_feature else {}),
                "text": self.text,
                "status": self.status,
                "model_id": self.model,
                "sae_id": self.sae,
                "cursor": cursor,
                **size,
            }
        )
