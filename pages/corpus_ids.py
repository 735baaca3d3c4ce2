"""The ids that the callbacks of the corpora's pages name, and what their URLs carry."""

from __future__ import annotations

from typing import Any, Literal

from dash import ALL
from pydantic import ConfigDict, Field

from pages.url_state import UrlState
from services.corpus.requests import Column, CorpusId, FileFormat, UploadId
from services.runs.request import ModelId


class Corpora:
    """The list of corpora."""

    VIEW = "corpora-view"
    SINK = "corpora-sink"
    ERROR = "corpora-error"
    ITEMS = "corpora-items"


class Corpus:
    """One corpus."""

    ID = "corpus-id"
    ERROR = "corpus-error"
    HEAD = "corpus-head"
    KNOWN = "corpus-known"  # the corpus, once it is known that there is one
    REST = "corpus-rest"
    STATISTICS = "corpus-statistics"
    STATISTICS_ERROR = "corpus-statistics-error"
    LENGTHS = "corpus-lengths"
    DOCUMENTS = "corpus-documents"
    DOCUMENTS_ERROR = "corpus-documents-error"
    PAGE = "corpus-page"  # which documents are shown
    PAGE_SINK = "corpus-page-sink"
    BACK = "corpus-back"
    NEXT = "corpus-next"
    PLACE = "corpus-place"
    JUMP = "corpus-jump"
    PACKING = "corpus-packing"  # how documents become windows
    PACKING_SINK = "corpus-packing-sink"
    TOKENS = "corpus-tokens"
    TOKENS_ERROR = "corpus-tokens-error"
    WINDOWS = "corpus-windows"


class CorpusAct:
    """What can be done with a corpus, on whichever page it is shown."""

    CHANGED = "corpus-changed"  # counts what was done
    ERROR = "corpus-act-error"
    DOOMED = "corpus-doomed"  # the corpus that the open dialog asks about
    MODAL = "corpus-modal"
    QUESTION = "corpus-question"
    WITH_FILES = "corpus-with-files"
    MODAL_ERROR = "corpus-modal-error"


class AddCorpora:
    """Adding a corpus."""

    VIEW = "add-corpus-view"  # the source, as the address carries it
    SINK = "add-corpus-sink"
    TABS = "add-corpus-tabs"
    UPLOAD = "add-corpus-upload"
    ASKED_PATH = "add-corpus-asked-path"
    ASKED_HUB = "add-corpus-asked-hub"
    LOOK_PATH = "add-corpus-look-path"
    LOOK_HUB = "add-corpus-look-hub"
    BUSY = "add-corpus-busy"
    ERROR = "add-corpus-error"
    FOUND = "add-corpus-found"
    ADD = "add-corpus-add"
    ADD_ERROR = "add-corpus-add-error"


def corpora_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value filters the list of corpora by `name`."""
    return {"type": "corpora-filter", "name": name}


def corpus_act(corpus: Any = ALL, do: Any = ALL) -> dict[str, Any]:
    """The button that does something with a corpus."""
    return {"type": "corpus-act", "corpus": corpus, "do": do}


def packing_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value is the option `name` of the tokenised preview."""
    return {"type": "packing-field", "name": name}


def source_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value is a part of the source."""
    return {"type": "source-field", "name": name}


def corpus_option(name: Any = ALL) -> dict[str, Any]:
    """The control whose value says how the source is read into a corpus."""
    return {"type": "corpus-option", "name": name}


class CorporaFilters(UrlState):
    """Which corpora are listed."""

    deleted: bool | None = None  # deleted ones as well


class CorpusName(UrlState):
    """The corpus that the address names."""

    id: CorpusId | None = None


class DocumentsAt(UrlState):
    """Which documents are shown: from this one, counted from 1."""

    document: int | None = Field(None, ge=1, le=10**12)


class PackingState(UrlState):
    """How the address has documents packed."""

    model: ModelId | None = None
    policy: Literal["sliding", "documents"] | None = None
    context: int | None = Field(None, ge=2, le=2**20)
    stride: int | None = Field(None, ge=1)
    bos: Literal["auto", "always", "never"] | None = None


class SourceState(UrlState):
    """The source that the address names."""

    model_config = ConfigDict(str_strip_whitespace=True)

    source: Literal["upload", "path", "dataset"] | None = None
    format: FileFormat | None = None
    upload: UploadId | None = None
    path: str | None = Field(None, min_length=1, max_length=4096)
    repo: str | None = Field(None, min_length=1, max_length=300)
    config: Column | None = None
    split: Column | None = None
    revision: Column | None = None
    most: int | None = Field(None, ge=1)  # documents that are read

    @property
    def is_named(self) -> bool:
        """Whether there is something to look at."""
        return any((self.upload, self.path, self.repo))
