"""Which SAEs and models the lists show, and how something is added: what their URLs carry."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import ConfigDict, Field

from pages.url_state import UrlState
from services.registry.requests import SaeQuery
from services.types import EntryState, SaeCard, Source, Verdict

UNMEASURED: Final = "unmeasured"
"""Stands in the place of a verdict: those that have none yet."""


class SaeFilters(UrlState):
    """What an SAE must be to be listed; a filter that makes no sense is dropped, not an error."""

    model_config = ConfigDict(str_strip_whitespace=True)

    text: str | None = Field(None, min_length=1, max_length=500)
    source: Source | None = None
    architecture: str | None = Field(None, min_length=1, max_length=100)
    model: str | None = Field(None, min_length=1, max_length=200)
    verdict: Verdict | Literal["unmeasured"] | None = None
    deleted: bool | None = None  # deleted ones as well

    def query(self) -> SaeQuery:
        """The SAEs that pass, those that `keeps` lets go included."""
        return SaeQuery(
            text=self.text,
            source=self.source,
            architecture=self.architecture,
            model_id=self.model,
            verdict=self.verdict if isinstance(self.verdict, Verdict) else None,
            include_deleted=bool(self.deleted),
        )

    def keeps(self, card: SaeCard) -> bool:
        """Whether one of the SAEs that `query` finds is to be listed."""
        if self.verdict != UNMEASURED:
            return True
        return card.state is EntryState.READY and card.preflight is None


class ModelFilters(UrlState):
    """Which models are listed."""

    deleted: bool | None = None  # deleted ones as well


class EntryName(UrlState):
    """The model or SAE that the address names."""

    id: str | None = Field(None, min_length=1, max_length=210)


class Adding(UrlState):
    """Where SAEs are added from, and what is searched for."""

    source: Literal["catalogue", "huggingface", "local"] | None = None
    q: str | None = Field(None, min_length=1, max_length=500)
