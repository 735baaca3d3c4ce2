"""Where an SAE's features lie by what they write, and which of them are families."""

from __future__ import annotations

from services.maps.requests import ColourQuery, FamiliesQuery, KeepFamilies, MapQuery
from services.types.features import (
    FamilySet,
    FamilySizes,
    FeatureMap,
    KeptFamilies,
    MapColours,
)
from services.types.jobs import JobView


class Maps:
    """Maps and families of decoder directions."""

    def map(self, query: MapQuery) -> FeatureMap | None:
        """The map; PCA is computed at once, UMAP is None until its job has made it."""
        raise NotImplementedError

    def start(self, query: MapQuery) -> JobView:
        """The job that makes a UMAP."""
        raise NotImplementedError

    def making(self, query: MapQuery) -> JobView | None:
        """The job that makes this map, if there is one."""
        raise NotImplementedError

    def colours(self, query: ColourQuery) -> MapColours:
        """What the points are coloured by."""
        raise NotImplementedError

    def sizes(self, query: FamiliesQuery) -> FamilySizes:
        """How many families there are, without their tokens: quick."""
        raise NotImplementedError

    def families(self, query: FamiliesQuery) -> FamilySet:
        """The families, the largest first."""
        raise NotImplementedError

    def keep(self, request: KeepFamilies) -> FamilySet:
        """The families under a name."""
        raise NotImplementedError

    def kept(self, sae_id: str) -> tuple[KeptFamilies, ...]:
        """What was kept, newest first."""
        raise NotImplementedError

    def kept_set(self, set_id: str) -> FamilySet:
        """A kept set."""
        raise NotImplementedError

    def forget(self, set_id: str) -> None:
        """Remove a kept set."""
        raise NotImplementedError
