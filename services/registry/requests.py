"""What may be asked of the registry: validated, the same for pages, REST and command line."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from services.runs.queries import Parameters, Query
from services.text import storable
from services.types import Source, Verdict

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._\-]{0,99}"
EntryId = Annotated[str, StringConstraints(pattern=rf"^{_SEGMENT}(/{_SEGMENT})?$")]
RepoId = Annotated[str, StringConstraints(pattern=rf"^{_SEGMENT}(/{_SEGMENT})?$")]
Revision = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/\-]{0,199}$")]
LocalPath = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
InnerPath = Annotated[str, StringConstraints(max_length=1000)]  # "" is what was looked at itself
CatalogueName = Annotated[str, StringConstraints(min_length=1, max_length=300)]

_HERE = "a folder of the machine on which Actiscope runs"
_COMMIT = "branch, tag or commit; default: main"


class _Strict(Query):
    """Refuses text that no file system or database could keep."""

    @field_validator("*", mode="before")
    @classmethod
    def _storable_text(cls, value: Any) -> Any:
        if isinstance(value, str) and storable(value) != value:
            raise ValueError("contains characters that are no text")
        return value


class _FromPlace(_Strict):
    """Something of a hub repository or of this machine."""

    source: Literal["huggingface", "local"]
    repo_id: RepoId | None = Field(None, description="owner/name on the hub")
    revision: Revision | None = Field(None, description=_COMMIT)
    path: LocalPath | None = Field(None, description=_HERE)

    @model_validator(mode="after")
    def _place(self) -> Self:
        _check_place(self.source, self)
        return self


class AddModel(_FromPlace):
    """A model to register: a checkpoint with safetensors weights."""

    model_id: EntryId | None = Field(
        None, description="its name here; default: the repository's, or the folder's"
    )


class LookRequest(_FromPlace):
    """Where to look for SAEs that could be added; nothing is added."""


class AddSaes(_Strict):
    """SAEs to register, several of one place at once."""

    source: Literal["catalogue", "huggingface", "local"]
    release: CatalogueName | None = Field(None, description="of sae-lens' catalogue")
    catalogue_ids: tuple[CatalogueName, ...] | None = Field(
        None, min_length=1, max_length=100, description="SAE ids of the release"
    )
    repo_id: RepoId | None = Field(None, description="owner/name on the hub")
    revision: Revision | None = Field(None, description=_COMMIT)
    path: LocalPath | None = Field(None, description=f"{_HERE}, or a file")
    paths: tuple[InnerPath, ...] = Field(
        (), max_length=500, description="which of those found there; default: all"
    )
    model_id: EntryId | None = Field(
        None, description="the model of this server to use them with; default: the one named alike"
    )
    hook_name: str | None = Field(
        None, min_length=1, max_length=200, description="where they read, if they do not say"
    )
    sae_id: EntryId | None = Field(None, description="name here of a single one")
    preflight: bool = Field(True, strict=True, description="measure each with its model")

    @model_validator(mode="after")
    def _place(self) -> Self:
        if self.source != Source.CATALOGUE:
            _refuse(self.source, release=self.release, catalogue_ids=self.catalogue_ids)
            _check_place(self.source, self)
            return self
        if not self.release or not self.catalogue_ids:
            raise ValueError("source catalogue needs `release` and `catalogue_ids`")
        place = {"repo_id": self.repo_id, "revision": self.revision, "path": self.path}
        _refuse(self.source, **place, paths=self.paths or None)
        if len(self.catalogue_ids) > 1 and (self.sae_id or self.hook_name):
            named = "sae_id" if self.sae_id else "hook_name"
            raise ValueError(f"`{named}` is of a single SAE: give one of `catalogue_ids`")
        return self


class SaeQuery(Parameters):
    """Which registered SAEs to list; without filters all that are not deleted."""

    text: str | None = Field(
        None, max_length=500, description="part of the id, model, repository, release or hook"
    )
    source: Source | None = None
    architecture: str | None = Field(None, max_length=100)
    model_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    verdict: Verdict | None = None
    include_deleted: bool = False


class SearchQuery(Parameters):
    """What to look for in sae-lens' catalogue."""

    q: str = Field("", max_length=500, description="words: release, model, hook, layer 12, 16k …")
    limit: int = Field(50, ge=1, le=500)
    offset: int = Field(0, ge=0, le=1_000_000)


def _check_place(source: str, asked: Any) -> None:
    if source == Source.LOCAL:
        if not asked.path:
            raise ValueError("source local needs `path`")
        _refuse(source, repo_id=asked.repo_id, revision=asked.revision)
        return
    if not asked.repo_id:
        raise ValueError("source huggingface needs `repo_id`")
    _refuse(source, path=asked.path)


def _refuse(source: str, **given: Any) -> None:
    wrong = ", ".join(f"`{name}`" for name, value in given.items() if value is not None)
    if wrong:
        raise ValueError(f"source {source} does not take {wrong}")
