"""Where an SAE's features lie by what they write, and which of them are families."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from services.decoder.service import Decoders
from services.decoder.vectors import Vectors
from services.errors import InvalidArgument, Unsupported
from services.features.service import FeatureTables
from services.jobs.requests import StartJob
from services.jobs.service import Jobs
from services.maps.colours import colours
from services.maps.families import cohesions, family_tokens, named, sizes_of
from services.maps.files import MapFiles, map_id
from services.maps.graph import Components, Graph, components, mutual, nearest
from services.maps.kept import KeptSets
from services.maps.kind import KIND, LEAST, map_kind
from services.maps.projecting import principal_components
from services.maps.requests import (
    ColourQuery,
    FamiliesQuery,
    KeepFamilies,
    MapOptions,
    MapParams,
    MapQuery,
)
from services.types import JobStatus, JobView
from services.types.features import FamilySet, FamilySizes, FeatureMap, KeptFamilies, MapColours

T = TypeVar("T")

_KEPT = 8  # results in memory, a few MB each


@dataclass(frozen=True)
class Parts:
    """What maps are made from."""

    vectors: Vectors
    decoders: Decoders
    features: FeatureTables
    jobs: Jobs
    files: MapFiles
    kept: KeptSets


class Maps:
    """Maps and families of decoder directions. Safe for many threads.

    Raises:
        NotFound: there is no such SAE; or, from all but PCA, no decoder table: the message says
            what makes one.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.kind = map_kind(parts.decoders, parts.vectors, parts.files)
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, Any] = OrderedDict()

    def n_features(self, sae_id: str) -> int:
        """How many features the SAE has."""
        return self._parts.vectors.size(sae_id)

    def map(self, query: MapQuery) -> FeatureMap | None:
        """The map: principal components are computed at once; None for a UMAP that no job has
        made yet.

        Raises:
            Unsupported: the decoder cannot be read, or has too few directions.
        """
        id = self._id(query)
        return self._once(("map", id), lambda: self._made(query, id))

    def start(self, query: MapQuery) -> JobView:
        """The job that makes the map: the one that is under way, or that has made it already.

        Raises:
            InvalidArgument: principal components need no job.
        """
        if query.method == "pca":
            raise InvalidArgument("a map by PCA needs no job: ask for the map", field="method")
        self._parts.decoders.require(query.sae_id)
        id = self._id(query)
        options = MapOptions.parse(query.model_dump(exclude={"sae_id"}))
        params = MapParams(sae_id=query.sae_id, options=options, map_id=id)
        values = params.model_dump(mode="json")
        for attempt in range(100):
            key = _key(id, attempt)
            job = self._parts.jobs.start(StartJob(kind=KIND, params=values, request_key=key))
            if not job.status.is_final or self._parts.files.get(query.sae_id, id) is not None:
                return job
            if job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
                return self._parts.jobs.retry(job.job_id)
        raise InvalidArgument("the files of this map were removed too often: choose another seed")

    def making(self, query: MapQuery) -> JobView | None:
        """The job that makes this map, or the last one that tried; None without one."""
        id, found = self._id(query), None
        for attempt in range(100):
            job = self._parts.jobs.by_key(_key(id, attempt))
            if job is None:
                return found
            found = job
        return found

    def colours(self, query: ColourQuery) -> MapColours:
        """What the points are coloured by.

        Raises:
            InvalidArgument: there is no such colouring.
            Unavailable: the store still fills.
        """
        table = self._parts.features.table(query.sae_id, query.store_id)
        return colours(table, query.by, lambda: self._components(_families_of(query)))

    def sizes(self, query: FamiliesQuery) -> FamilySizes:
        """How many families there are, and how large: quick enough for a slider."""
        found = self._components(query)
        return sizes_of(found, query.threshold, self._parts.vectors.size(query.sae_id))

    def families(self, query: FamiliesQuery) -> FamilySet:
        """The families with cohesion and tokens, the largest first."""
        table = self._parts.decoders.require(query.sae_id)
        key = ("families", str(table.path), query.threshold, query.min_size)
        return self._once(key, lambda: self._families(query))

    def keep(self, request: KeepFamilies) -> FamilySet:
        """Keep the families under the name."""
        asked = FamiliesQuery.parse(request.model_dump(exclude={"name", "author"}))
        return self._parts.kept.keep(request, self.families(asked))

    def kept(self, sae_id: str) -> tuple[KeptFamilies, ...]:
        """What was kept of an SAE, newest first."""
        self._parts.vectors.size(sae_id)  # says which SAEs there are
        return self._parts.kept.list(sae_id)

    def kept_set(self, set_id: str) -> FamilySet:
        """A kept set; NotFound when there is none."""
        return self._parts.kept.get(set_id)

    def forget(self, set_id: str) -> None:
        """Remove a kept set; NotFound when there is none."""
        self._parts.kept.forget(set_id)

    def _id(self, query: MapQuery) -> str:
        return map_id(self._parts.vectors.revision(query.sae_id), query.parameters())

    def _made(self, query: MapQuery, id: str) -> FeatureMap | None:
        kept = self._parts.files.get(query.sae_id, id)
        if kept is not None or query.method == "umap":
            return kept
        sae_id, vectors = query.sae_id, self._parts.vectors
        sae_file = vectors.revision(sae_id)
        found = principal_components(lambda: vectors.blocks(sae_id))
        if len(found.features) < LEAST:
            raise Unsupported(
                f"{len(found.features)} features of SAE {sae_id} have a direction: a map needs "
                f"{LEAST}"
            )
        x, y = found.points.T
        made = FeatureMap(
            id, sae_id, "pca", found.features, x, y, found.explained, query.parameters()
        )
        self._parts.files.keep(made, sae_file)
        return made

    def _graph(self, sae_id: str) -> Graph:
        table = self._parts.decoders.require(sae_id)

        def make() -> Graph:
            return mutual(*nearest(table.table(), table.info.d_sae))

        return self._once(("graph", str(table.path)), make)

    def _components(self, query: FamiliesQuery) -> Components:
        return components(self._graph(query.sae_id), query.threshold, query.min_size)

    def _families(self, query: FamiliesQuery) -> FamilySet:
        found, vectors = self._components(query), self._parts.vectors
        table = self._parts.decoders.require(query.sae_id).table()
        cohesion = cohesions(found, vectors.blocks(query.sae_id))
        return FamilySet(
            set_id=None,
            sae_id=query.sae_id,
            name=None,
            parameters=query.model_dump(mode="json", exclude={"sae_id"}),
            families=named(found, cohesion, family_tokens(found, table)),
            n_alone=vectors.size(query.sae_id) - len(found.members),
        )

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of `make`, kept while it is used; None is asked for again."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                found: T = self._known[key]
                return found
        made = make()
        if made is not None:
            with self._lock:
                self._known[key] = made
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        return made


def _key(id: str, attempt: int) -> str:
    """Under which a job is started; another one once its file was removed."""
    return f"map-{id}" if not attempt else f"map-{id}-{attempt}"


def _families_of(query: ColourQuery) -> FamiliesQuery:
    return FamiliesQuery(sae_id=query.sae_id, threshold=query.threshold)
