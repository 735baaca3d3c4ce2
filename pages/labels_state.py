"""What the address of the labels page carries."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pages.url_state import UrlState
from services.labels.requests import Order, QueueQuery
from services.runs.queries import FeatureId
from services.runs.request import ModelId
from services.stores.requests import StoreId


class LabelsState(UrlState):
    """Which SAE's labels, which part of the page, in which order they are asked for."""

    sae: ModelId | None = None
    store: StoreId | None = None
    tab: Literal["queue", "history", "files"] | None = None
    order: Order | None = None
    seed: int | None = Field(None, ge=0, lt=2**31)
    labelled: bool | None = None  # those that have a label come, too

    def queue(self, after: FeatureId | None = None) -> QueueQuery:
        """The feature to label next, behind `after` in the order.

        Raises:
            InvalidArgument: no SAE is named.
        """
        asked: dict[str, Any] = {
            "sae_id": self.sae, "order": self.order or "n", "seed": self.seed or 0,
            "include_labelled": bool(self.labelled), "after": after, "store_id": self.store,
        }  # fmt: skip
        return QueueQuery.parse(asked)
