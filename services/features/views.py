"""Saved views: selections of an SAE's table of features, kept under a name for everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from db.saved_views import SavedViewRecord, SavedViewRepository
from services.database import Database
from services.errors import Conflict, InvalidArgument, NotFound
from services.jobs.ids import new_id
from services.registry.index import Index
from services.runs.queries import Author, Query
from services.runs.request import ModelId
from services.text import storable
from services.types.labels import SavedView

MOST = 200  # views of an SAE
_MOST_FIELDS = 40
_MOST_BYTES = 32_000

Plain = str | int | float | bool


def _clean(value: Any) -> Any:
    return storable(value).strip() if isinstance(value, str) else value


Name = Annotated[str, BeforeValidator(_clean), Field(min_length=1, max_length=100)]


class ViewBody(Query):
    """A view to be kept."""

    name: Name
    state: dict[str, Plain] = Field(
        description="what the address of the table carries, beside the SAE: text, range, sort, …"
    )
    author: Author = Field(None, description="default: ACTISCOPE_USER")
    replace: bool = Field(False, description="also in the place of a view of this name")

    @field_validator("state")
    @classmethod
    def _is_small(cls, state: dict[str, Plain]) -> dict[str, Plain]:
        clean = {storable(name): _clean(value) for name, value in state.items()}
        if len(clean) > _MOST_FIELDS or len(json.dumps(clean)) > _MOST_BYTES:
            raise ValueError(f"a view has at most {_MOST_FIELDS} fields of {_MOST_BYTES:,} bytes")
        return clean


class SaveView(ViewBody):
    """A view of an SAE to be kept."""

    sae_id: ModelId


class SavedViews:
    """Keeps views.

    Raises:
        NotFound: there is no such SAE; from every method.
        Unavailable, ResourceExhausted: see services.database; from every method.
    """

    def __init__(self, database: Database, index: Index, author: str) -> None:
        self._database = database
        self._index = index
        self._author = author  # of views that name none

    def list(self, sae_id: str) -> tuple[SavedView, ...]:
        """The views of an SAE, by name."""
        self._check_sae(sae_id)
        with self._database.read() as session:
            return tuple(map(_view, SavedViewRepository(session).of_sae(sae_id)))

    def get(self, sae_id: str, view_id: str) -> SavedView:
        """One of them.

        Raises:
            NotFound: there is no such view.
        """
        self._check_sae(sae_id)
        with self._database.read() as session:
            found = SavedViewRepository(session).get(sae_id, storable(view_id))
        if found is None:
            raise _no_view(sae_id, view_id)
        return _view(found)

    def save(self, request: SaveView) -> SavedView:
        """Keep a view; with `replace` in the place of the one of this name.

        Raises:
            Conflict: the SAE has a view of this name.
            InvalidArgument: it has as many views as one may have.
        """
        self._check_sae(request.sae_id)
        record = SavedViewRecord(
            view_id=new_id(), sae_id=request.sae_id, name=request.name, state=request.state,
            author=request.author or self._author, created_at=datetime.now(UTC),
        )  # fmt: skip
        with self._writing() as views:
            is_new = not views.has(request.sae_id, request.name)
            if is_new and views.count(request.sae_id) >= MOST:
                raise InvalidArgument(f"{request.sae_id} has {MOST} views already: remove some")
            if request.replace:
                return _view(views.put(record))
            if not views.insert(record):
                raise Conflict(
                    f"there is a view {request.name[:100]!r} of {request.sae_id}: choose another "
                    "name, or have it replaced",
                    name=request.name,
                )
        return _view(record)

    def remove(self, sae_id: str, view_id: str) -> None:
        """Forget a view.

        Raises:
            NotFound: there is no such view.
        """
        self._check_sae(sae_id)
        with self._writing() as views:
            if not views.delete(sae_id, storable(view_id)):
                raise _no_view(sae_id, view_id)

    @contextmanager
    def _writing(self) -> Iterator[SavedViewRepository]:
        with self._database.write() as session:
            yield SavedViewRepository(session)

    def _check_sae(self, sae_id: str) -> None:
        # Asking brings the table of SAEs up to date, to which views refer.
        if sae_id not in self._index.known().saes:
            raise NotFound(f"{sae_id[:200]!r} is none of the registered SAEs", sae_id=sae_id[:200])


def _view(record: SavedViewRecord) -> SavedView:
    return SavedView(
        view_id=record.view_id,
        sae_id=record.sae_id,
        name=record.name,
        state=record.state,
        author=record.author,
        created_at=record.created_at,
    )


def _no_view(sae_id: str, view_id: str) -> NotFound:
    return NotFound(f"{sae_id} has no view {view_id[:100]!r}", view_id=view_id[:100])
