"""The job that makes a UMAP: seconds for thousands of features, minutes for a hundred thousand.

Nothing is kept of a job that is interrupted but the finished file: it begins again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from services.decoder.service import Decoders
from services.decoder.vectors import Vectors
from services.errors import Conflict, Unsupported
from services.jobs.kinds import Kind
from services.maps.files import MapFiles, map_id
from services.maps.graph import nearest
from services.maps.layout import n_epochs_for, neighbour_graph, umap_points
from services.maps.projecting import principal_components
from services.maps.requests import MapParams
from services.types.features import FeatureMap

KIND = "map_features"
LEAST = 4  # features with a direction: fewer have no neighbourhood
_LOOK_S = 0.5  # so often is it looked whether to stop


class MapJob(Protocol):
    """The job, as far as it is used here."""

    def begin(self, phase: str, total: int | None = None, unit: str = "", done: int = 0) -> None:
        """A phase begins."""
        ...

    def progress(self, done: int, total: int | None = None, message: str | None = None) -> None:
        """So much of it is done."""
        ...

    def give_way(self) -> None:
        """Raises what ends the job."""
        ...


def map_kind(decoders: Decoders, vectors: Vectors, files: MapFiles) -> Kind[MapParams]:
    """The kind `map_features`."""
    return Kind(
        KIND,
        MapParams,
        lambda job, params: make_map(job, params, decoders, vectors, files),
        lambda params: f"Map the features of {params.sae_id} with UMAP",
    )


def make_map(
    job: MapJob, params: MapParams, decoders: Decoders, vectors: Vectors, files: MapFiles
) -> dict[str, Any]:
    """Lay the features out, and keep the map.

    Raises:
        Conflict: the SAE was replaced since the job was accepted.
        NotFound: there is no decoder table.
        Unsupported: too few features have a direction.
    """
    sae_id, parameters = params.sae_id, params.options.parameters()
    sae_file = vectors.revision(sae_id)
    if map_id(sae_file, parameters) != params.map_id:
        raise Conflict(f"the weights of SAE {sae_id} have changed: start the map again")
    ids, cosines = nearest(decoders.require(sae_id).table(), vectors.size(sae_id))
    job.begin("directions", len(ids), "features")
    start = principal_components(lambda: vectors.blocks(sae_id), _ticking(job))
    if len(start.features) < LEAST:
        raise Unsupported(
            f"{len(start.features)} features of SAE {sae_id} have a direction: a map needs {LEAST}"
        )
    graph = neighbour_graph(ids, cosines, start.features, params.options.n_neighbors)
    job.begin("layout", n_epochs_for(len(start.features)), "epochs")
    points = umap_points(
        start.points,
        *graph,
        min_dist=params.options.min_dist,
        seed=params.options.seed,
        epoch=_ticking(job),
    )
    made = FeatureMap(
        params.map_id, sae_id, "umap", start.features, points[:, 0], points[:, 1], None, parameters
    )
    files.keep(made, sae_file)
    return {"map_id": params.map_id, "sae_id": sae_id, "n_features": len(start.features)}


def _ticking(job: MapJob) -> Callable[[int], None]:
    """Says how far it is, and looks now and then whether to stop."""
    looked_at = [time.monotonic()]

    def tick(done: int) -> None:
        job.progress(done)
        if time.monotonic() - looked_at[0] >= _LOOK_S:
            job.give_way()
            looked_at[0] = time.monotonic()

    return tick
