"""What the URL of the table of features carries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import ConfigDict, Field

from pages.url_state import UrlState
from services.features.requests import FeatureSelection, FeatureTableQuery
from services.runs.queries import FeatureId
from services.runs.request import ModelId
from services.stores.requests import StoreId
from services.types.labels import LabelSource

_LOOKS = frozenset({"sae", "store", "search_in", "sort", "down", "columns"})
"""Fields that change nothing about which features pass."""

_ASKED = ("fires", "cosine")
"""Columns that are there only while something is asked for."""


class TableState(UrlState):
    """Which features are shown, of which SAE, in which order and columns."""

    model_config = ConfigDict(str_strip_whitespace=True)

    sae: ModelId | None = None
    store: StoreId | None = None  # None: the newest that can be read
    text: str | None = Field(None, min_length=1, max_length=500)
    search_in: str | None = Field(None, pattern="^[a-z_,]{1,100}$")
    label: Literal["labelled", "unlabelled"] | None = None
    category: str | None = Field(None, min_length=1, max_length=200)
    source: LabelSource | None = None
    starred: bool | None = None
    skipped: bool | None = None
    fires: Literal["live", "dead"] | None = None
    fires_on: str | None = Field(None, min_length=1, max_length=5000)
    min_fires: float | None = Field(None, allow_inf_nan=False)
    neighbour_of: FeatureId | None = None
    ids: str | None = Field(None, min_length=1, max_length=100_000)
    range: str | None = Field(None, min_length=1, max_length=1000)
    sort: str | None = Field(None, pattern="^[a-z_0-9]{1,40}$")
    down: bool | None = None  # largest first
    columns: str | None = Field(None, pattern="^[a-z_0-9,]{1,1000}$")

    @property
    def n_filters(self) -> int:
        """How many of the fields narrow the selection."""
        return len(self.as_data().keys() - _LOOKS)

    def asks(self, column: str) -> bool:
        """Whether the filters make the column known: it follows from what is asked for."""
        return (self.fires_on if column == "fires" else self.neighbour_of) is not None

    @property
    def order(self) -> tuple[str, bool]:
        """The column that the table is sorted by, and whether largest first.

        Without a choice: what was asked for comes first.
        """
        if self.sort is not None and (self.sort not in _ASKED or self.asks(self.sort)):
            return self.sort, bool(self.down)
        asked = next((name for name in _ASKED if self.asks(name)), None)
        return ("feature", False) if asked is None else (asked, True)

    def selection(self) -> dict[str, Any]:
        """The filters and the order as parameters of `FeatureSelection`."""
        sort, down = self.order
        dead = None if self.fires is None else self.fires == "dead"
        given = {
            "store_id": self.store, "text": self.text, "label": self.label or "any",
            "search_in": self.search_in, "category": self.category, "source": self.source,
            "starred": self.starred, "skipped": self.skipped, "dead": dead,
            "fires_on": self.fires_on, "neighbour_of": self.neighbour_of, "ids": self.ids,
            "min_fires": None if self.fires_on is None else self.min_fires,
            "range": self.range, "sort": sort, "descending": down,
        }  # fmt: skip
        return {name: value for name, value in given.items() if value is not None}

    def query(self, sae_id: str, **paging: Any) -> FeatureTableQuery:
        """Some of the features that pass.

        Raises:
            InvalidArgument: a filter names a column that there is not, or contradicts another.
        """
        return FeatureTableQuery.parse({"sae_id": sae_id, **self.selection(), **paging})

    def parameters(self) -> dict[str, Any]:
        """The selection as parameters of an address.

        Raises:
            InvalidArgument: as `query`.
        """
        FeatureSelection.parse(self.selection())
        plain = {True: "true", False: "false"}
        return {
            name: plain[value] if isinstance(value, bool) else str(value)
            for name, value in self.selection().items()
        }

    def bounds(self) -> dict[str, tuple[str, str]]:
        """The least and the greatest value by column, as they are written in `range`."""
        pieces = [piece.partition(":") for piece in (self.range or "").split(",")]
        return {
            column.strip(): (bounds.partition("..")[0], bounds.partition("..")[2])
            for column, _, bounds in pieces
            if ".." in bounds
        }

    def shown(self, default: Iterable[str]) -> list[str]:
        """The columns to show, in the order of choosing."""
        return self.columns.split(",") if self.columns else [*default]
