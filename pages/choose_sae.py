"""The SAE that a page about features shows: the field, and the one where none is named."""

from __future__ import annotations

from collections.abc import Sequence

import dash_mantine_components as dmc

from pages.context import services
from services.extraction.requests import ExtractionQuery
from services.types import EntryState, SaeCard

_LOOKED_AT = 50  # of the newest extractions


def usual_sae(cards: Sequence[SaeCard]) -> str | None:
    """The SAE that read a corpus last; any that can be used otherwise."""
    ready = [card.info.sae_id for card in cards if card.state is EntryState.READY]
    names = ready or [card.info.sae_id for card in cards]
    for view in services().extractions.list(ExtractionQuery(limit=_LOOKED_AT)).items:
        if view.has_store and view.sae_id in names:
            return view.sae_id
    return next(iter(names), None)


def sae_select(
    id: str, cards: Sequence[SaeCard], chosen: str | None, *, className: str = "as-choose-sae"
) -> dmc.Select:
    """The field; one that an address names stands in it, too, whether it is there or not."""
    names = [card.info.sae_id for card in cards] + ([] if chosen is None else [chosen])
    return dmc.Select(
        id=id, label="SAE", data=[*dict.fromkeys(names)], value=chosen, searchable=True,
        allowDeselect=False, nothingFoundMessage="None found", className=className,
    )  # fmt: skip
