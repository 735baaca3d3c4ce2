"""What requests do to a draft."""

from __future__ import annotations

from collections.abc import Collection

from db.label_records import LabelRecord
from services.errors import Conflict, InvalidArgument
from services.jobs.ids import new_id
from services.labels.draft import Draft
from services.labels.requests import BulkChange, LabelEdit, NewLabel


def new_label(draft: Draft, feature_id: int, request: NewLabel) -> LabelRecord:
    """A label as it will be kept."""
    return LabelRecord(
        label_id=new_id(),
        feature_id=feature_id,
        text=request.text,
        category=request.category,
        notes=request.notes,
        confidence=request.confidence,
        source=request.source.value,
        source_name=request.source_name,
        author=draft.author,
        created_at=draft.at,
        updated_at=draft.at,
    )


def add(draft: Draft, feature_id: int, request: NewLabel) -> LabelRecord:
    """Give the feature one more label."""
    label = new_label(draft, feature_id, request)
    draft.add(label, request.choose)
    return label


def edit(draft: Draft, label: LabelRecord, request: LabelEdit) -> None:
    """Change a label.

    Raises:
        Conflict: it is not the one that the caller saw.
    """
    seen = request.if_updated_at
    if seen is not None and label.updated_at != seen:
        raise Conflict(
            f"the label was changed at {label.updated_at.isoformat()}: look at it again",
            updated_at=label.updated_at.isoformat(),
        )
    values = request.values()
    if "source" in values:
        values["source"] = values["source"].value
    draft.edit(label, values)


def bulk(draft: Draft, feature_ids: Collection[int], change: BulkChange) -> None:
    """Do the same to each of the features; where there is nothing to do, nothing is done."""
    for feature_id in dict.fromkeys(feature_ids):
        if change.remove is not None:
            _remove(draft, feature_id, everything=change.remove == "all")
        if change.add is not None:
            _add(draft, feature_id, change)
        else:
            _edit_chosen(draft, feature_id, change)
        if change.star is not None:
            draft.star(feature_id, change.star)
        if change.skip is not None or change.unskip:
            draft.skip(feature_id, change.skip)


def _remove(draft: Draft, feature_id: int, *, everything: bool) -> None:
    chosen = draft.chosen(feature_id)
    labels = list(draft.labels(feature_id).values()) if everything else [chosen]
    # The chosen one last: no label in between is chosen only to go.
    for label in sorted(filter(None, labels), key=lambda label: label == chosen):
        draft.remove(label)


def _add(draft: Draft, feature_id: int, change: BulkChange) -> None:
    request = NewLabel(
        text=change.add or "", category=change.category, confidence=change.confidence
    )
    there = [(x.text, x.category, x.confidence) for x in draft.labels(feature_id).values()]
    if (request.text, request.category, request.confidence) not in there:
        add(draft, feature_id, request)


def _edit_chosen(draft: Draft, feature_id: int, change: BulkChange) -> None:
    names = {"category", "confidence"} & change.model_fields_set
    label = draft.chosen(feature_id)
    if label is not None and names:
        draft.edit(label, {name: getattr(change, name) for name in names})


def in_range(feature_ids: Collection[int], d_sae: int, sae_id: str) -> None:
    """Refuse numbers that the SAE does not have.

    Raises:
        InvalidArgument: one is too large.
    """
    if feature_ids and (largest := max(feature_ids)) >= d_sae:
        raise InvalidArgument(
            f"SAE {sae_id} has no feature {largest}: its features are 0 to {d_sae - 1}",
            feature_id=largest,
            d_sae=d_sae,
        )
