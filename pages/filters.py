"""Which runs the list shows: the filters that its URL carries."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from pages.url_state import UrlState
from services.runs.queries import RunQuery
from services.runs.request import ModelId
from services.types import RunStatus


class Filters(UrlState):
    """What a run must be to be listed; a filter that makes no sense is dropped, not an error."""

    model_config = ConfigDict(str_strip_whitespace=True)

    text: str | None = Field(None, min_length=1, max_length=500)
    status: RunStatus | None = None
    model: ModelId | None = None
    sae: ModelId | None = None

    def query(self, cursor: Any = None) -> RunQuery:
        """The page of runs behind `cursor`.

        Raises:
            InvalidArgument: the cursor is not one of ours.
        """
        return RunQuery.parse(
            {
                "text": self.text,
                "status": self.status,
                "model_id": self.model,
                "sae_id": self.sae,
                "cursor": cursor,
            }
        )
