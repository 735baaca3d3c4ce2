"""What the address of the map of features carries."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pages.url_state import UrlState
from services.maps.requests import ColourQuery, FamiliesQuery, MapQuery


class MapState(UrlState):
    """SAE, kind of map, colours, families, and the chosen features where they are few."""

    sae: str | None = Field(None, min_length=1, max_length=200)
    method: Literal["pca", "umap"] | None = None
    colour: str | None = Field(None, pattern=r"^[a-z][a-z0-9_]{0,63}$")
    n_neighbors: int | None = Field(None, ge=2, le=20)
    min_dist: float | None = Field(None, ge=0, le=1)
    seed: int | None = Field(None, ge=0, lt=2**32)
    threshold: float | None = Field(None, ge=0, le=1)
    min_size: int | None = Field(None, ge=2, le=100_000)
    set: str | None = Field(None, pattern=r"^[A-Za-z0-9\-]{1,64}$")
    ids: str | None = Field(None, pattern=r"^[0-9,\-]+$", max_length=2000)

    def map_query(self, sae_id: str) -> MapQuery:
        """Which map."""
        return MapQuery.parse(self._given("method", "n_neighbors", "min_dist", "seed", sae=sae_id))

    def colour_query(self, sae_id: str) -> ColourQuery:
        """What it is coloured by."""
        more = {} if self.colour is None else {"by": self.colour}
        return ColourQuery.parse(self._given("threshold", sae=sae_id) | more)

    def families_query(self, sae_id: str) -> FamiliesQuery:
        """Which families."""
        return FamiliesQuery.parse(self._given("threshold", "min_size", sae=sae_id))

    def _given(self, *names: str, sae: str) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in names}
        return {"sae_id": sae} | {k: v for k, v in given.items() if v is not None}
