"""Families under a name: kept in the database, whole, so that they stay as they were named."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from db.family_sets import FamilySetLine, FamilySetRecord, FamilySetRepository
from services.database import Database
from services.errors import InvalidArgument, NotFound
from services.jobs.ids import new_id
from services.maps.requests import KeepFamilies
from services.registry.index import Index
from services.text import storable
from services.types.features import FamilySet, FeatureFamily, KeptFamilies, ScoredToken

MOST = 200  # sets of an SAE

_TOKEN = pa.struct(
    [("id", pa.uint32()), ("text", pa.string()), ("score", pa.float64()), ("count", pa.uint32())]
)
_SCHEMA = pa.schema(
    [
        ("number", pa.uint32()),
        ("cohesion", pa.float64()),
        ("features", pa.list_(pa.uint32())),
        ("tokens", pa.list_(_TOKEN)),
    ]
)


class KeptSets:
    """Keeps sets of families.

    Raises:
        Unavailable, ResourceExhausted: see services.database; from every method.
    """

    def __init__(self, database: Database, index: Index, author: str) -> None:
        self._database, self._index = database, index
        self._author = author  # of sets that name none

    def keep(self, request: KeepFamilies, found: FamilySet) -> FamilySet:
        """Keep the families under the name.

        Raises:
            NotFound: the SAE is not registered.
            InvalidArgument: it has as many sets as one may have.
        """
        # Asking brings the table of SAEs up to date, to which sets refer.
        if request.sae_id not in self._index.known().saes:
            raise NotFound(f"{request.sae_id!r} is none of the registered SAEs")
        record = FamilySetRecord(
            set_id=new_id(),
            sae_id=request.sae_id,
            name=request.name,
            parameters={**found.parameters, **_numbers_of(found)},
            families=_packed(found.families),
            author=request.author or self._author,
            created_at=datetime.now(UTC),
        )
        with self._database.write() as session:
            sets = FamilySetRepository(session)
            if sets.count(request.sae_id) >= MOST:
                raise InvalidArgument(f"{request.sae_id} has {MOST} kept sets: remove some first")
            sets.insert(record)
        return _set(record)

    def list(self, sae_id: str) -> tuple[KeptFamilies, ...]:
        """The sets of an SAE, newest first."""
        with self._database.read() as session:
            return tuple(map(_line, FamilySetRepository(session).of_sae(sae_id)))

    def get(self, set_id: str) -> FamilySet:
        """One set; NotFound when there is none."""
        with self._database.read() as session:
            record = FamilySetRepository(session).get(storable(set_id))
        if record is None:
            raise _none(set_id)
        return _set(record)

    def forget(self, set_id: str) -> None:
        """Remove a set; NotFound when there is none."""
        with self._database.write() as session:
            if not FamilySetRepository(session).delete(storable(set_id)):
                raise _none(set_id)


def _none(set_id: str) -> NotFound:
    return NotFound(f"there is no kept set of families {set_id[:80]!r}", set_id=set_id[:80])


def _numbers_of(found: FamilySet) -> dict[str, int]:
    return {
        "n_families": len(found.families),
        "n_features": sum(len(family.features) for family in found.families),
        "n_alone": found.n_alone,
    }


def _parameters(kept: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kept.items() if not name.startswith("n_")}


def _line(line: FamilySetLine) -> KeptFamilies:
    return KeptFamilies(
        set_id=line.set_id,
        sae_id=line.sae_id,
        name=line.name,
        parameters=_parameters(line.parameters),
        n_families=int(line.parameters["n_families"]),
        n_features=int(line.parameters["n_features"]),
        author=line.author,
        created_at=line.created_at,
    )


def _set(record: FamilySetRecord) -> FamilySet:
    return FamilySet(
        set_id=record.set_id,
        sae_id=record.sae_id,
        name=record.name,
        parameters=_parameters(record.parameters),
        families=_unpacked(record.families),
        n_alone=int(record.parameters["n_alone"]),
        author=record.author,
        created_at=record.created_at,
    )


def _packed(families: tuple[FeatureFamily, ...]) -> bytes:
    rows = [
        {
            "number": family.number,
            "cohesion": family.cohesion,
            "features": list(family.features),
            "tokens": [
                {"id": t.token_id, "text": storable(t.text), "score": t.score, "count": t.count}
                for t in family.tokens
            ],
        }
        for family in families
    ]
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, _SCHEMA, options=options) as writer:
        writer.write_table(pa.Table.from_pylist(rows, _SCHEMA))
    return sink.getvalue()


def _unpacked(packed: bytes) -> tuple[FeatureFamily, ...]:
    rows = pa.ipc.open_stream(packed).read_all().to_pylist()
    return tuple(
        FeatureFamily(
            number=row["number"],
            features=tuple(row["features"]),
            cohesion=row["cohesion"],
            tokens=tuple(
                ScoredToken(t["id"], t["text"], t["score"], t["count"]) for t in row["tokens"]
            ),
        )
        for row in rows
    )
