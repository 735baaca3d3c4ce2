"""What may be asked of maps and families: the same for pages, REST and jobs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from services.jobs.requests import JobParams
from services.runs.queries import Author, Parameters, Query
from services.runs.request import ModelId
from services.stores.requests import StoreId
from services.text import storable

Method = Literal["pca", "umap"]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(storable)
]


class MapOptions(Query):
    """How directions become points; UMAP's options say nothing to PCA."""

    method: Method = "pca"
    n_neighbors: int = Field(15, ge=2, le=20, description="UMAP: of the decoder table's twenty")
    min_dist: float = Field(0.1, ge=0, le=1, description="UMAP: how close points may lie")
    seed: int = Field(0, ge=0, lt=2**32, description="UMAP: the same seed gives the same map")

    def parameters(self) -> dict[str, Any]:
        """What the map depends on, beside the weights."""
        chosen = {"method"} if self.method == "pca" else set(MapOptions.model_fields)
        return self.model_dump(mode="json", include=chosen)


class MapQuery(MapOptions):
    """The map of an SAE."""

    sae_id: ModelId


class MapParams(JobParams):
    """The parameters of a job of the kind `map_features`."""

    sae_id: ModelId
    options: MapOptions
    map_id: str = Field(description="what the weights were when the job was accepted")


class ColourQuery(Parameters):
    """What the points of a map are coloured by."""

    sae_id: ModelId
    by: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = "token_density"
    store_id: StoreId | None = None
    threshold: float = Field(0.7, ge=0, le=1, description="of families")


class FamiliesQuery(Parameters):
    """Families of features: components of the graph of mutual nearest neighbours."""

    sae_id: ModelId
    threshold: float = Field(0.7, ge=0, le=1, description="least cosine of two neighbours")
    min_size: int = Field(2, ge=2, le=100_000, description="smaller families are left out")


class KeepFamilies(FamiliesQuery):
    """Families under a name."""

    name: Annotated[Text, StringConstraints(max_length=200)]
    author: Author = Field(None, description="default: ACTISCOPE_USER")
