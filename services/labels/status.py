"""How far the labelling of an SAE is."""

from __future__ import annotations

from collections import Counter

from services.labels.snapshot import LabelSnapshot
from services.types.labels import LabelStatus


def status_of(
    snapshot: LabelSnapshot, d_sae: int, n_live: int | None, n_disagreeing: int
) -> LabelStatus:
    """Counts over the chosen labels and the marks."""
    marks = list(snapshot.marks.values())
    chosen = [mark.label for mark in marks if mark.label is not None]
    return LabelStatus(
        sae_id=snapshot.sae_id,
        n_features=d_sae,
        n_live=n_live,
        n_labelled=len(chosen),
        n_starred=sum(mark.is_starred for mark in marks),
        n_skipped=sum(mark.skipped is not None for mark in marks),
        n_disagreeing=n_disagreeing,
        by_source=dict(Counter(label.source.value for label in chosen).most_common()),
        by_category=dict(Counter(label.category or "" for label in chosen).most_common()),
    )
