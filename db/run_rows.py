"""Between the records of a run and the rows of its tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Row

from db.blobs import decode_timeline, decode_tokens, encode_timeline, encode_tokens
from db.models import RunIndex, RunPreview, RunTimeline
from db.records import (
    RunIndexRecord,
    RunOutcome,
    RunPreviewRecord,
    RunText,
    TimelineRecord,
)

SEARCHED_CHARS = 2000  # of the prompt, by the text filter

_RECORD_FIELDS = tuple(f.name for f in fields(RunIndexRecord))
INDEX_COLUMNS = tuple(getattr(RunIndex, name) for name in _RECORD_FIELDS)
PREVIEW_COLUMNS = tuple(RunPreview.__table__.columns)
TIMELINE_COLUMNS = tuple(RunTimeline.__table__.columns)


def searchable(text: str) -> str:
    """`text` so that equal words in either case are equal, on any database; its beginning."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return folded[:SEARCHED_CHARS]


def index_values(index: RunIndexRecord, prompt: str) -> dict[str, Any]:
    """The columns of `index`, except `run_seq`."""
    values = {name: getattr(index, name) for name in _RECORD_FIELDS if name != "run_seq"}
    return values | {
        "sae_enabled": index.sae_enabled,
        **_first_sae(index),
        "sae_ids": list(index.sae_ids),
        "sae_layers": list(index.sae_layers),
        "top_features_preview": [list(pair) for pair in index.top_features_preview],
        "prompt_search": searchable(prompt),
    }


def _first_sae(index: RunIndexRecord) -> dict[str, Any]:
    return {
        "sae_id": index.sae_ids[0] if index.sae_ids else None,
        "sae_layer": index.sae_layers[0] if index.sae_layers else None,
    }


def index_record(row: Row[Any]) -> RunIndexRecord:
    """The record of a row of INDEX_COLUMNS."""
    values = dict(row._mapping)
    values["sae_ids"] = tuple(values["sae_ids"])
    values["sae_layers"] = tuple(values["sae_layers"])
    values["top_features_preview"] = tuple((s, f) for s, f in values["top_features_preview"])
    return RunIndexRecord(**values)


def preview_values(index: RunIndexRecord, preview: RunPreviewRecord) -> dict[str, Any]:
    """The columns of `preview`."""
    return {
        "request_id": index.request_id,
        "model_id": index.model_id,
        **_first_sae(index),
        "sae_top_k": index.sae_top_k,
        "prompt": preview.prompt,
        "request": dict(preview.request),
        "provenance": dict(preview.provenance),
        **text_values(preview.text),
    }


def text_values(text: RunText) -> dict[str, Any]:
    """The columns of what was read and written.

    Raises:
        ValueError: a token id is no int.
    """
    return {
        "rendered_prompt": text.rendered_prompt,
        "prompt_token_ids": _token_ids(text.prompt_token_ids),
        "output_text": text.output_text,
        "output_token_ids": _token_ids(text.output_token_ids),
        "tokens": encode_tokens(text.tokens),
    }


def _token_ids(ids: Sequence[int]) -> list[int]:
    if wrong := next((i for i in ids if type(i) is not int), None):
        raise ValueError(f"a token id is an int, not {type(wrong).__name__}")
    return list(ids)


def preview_record(row: Row[Any]) -> RunPreviewRecord:
    """The record of a row of PREVIEW_COLUMNS."""
    return RunPreviewRecord(
        prompt=row.prompt,
        request=row.request,
        provenance=row.provenance,
        text=RunText(
            rendered_prompt=row.rendered_prompt,
            prompt_token_ids=tuple(row.prompt_token_ids),
            output_text=row.output_text,
            output_token_ids=tuple(row.output_token_ids),
            tokens=decode_tokens(row.tokens),
        ),
    )


def outcome_values(outcome: RunOutcome) -> dict[str, Any]:
    """The columns of the index row that `finish` sets."""
    return {
        "status": outcome.status,
        "error_message": outcome.error_message,
        "finish_reason": outcome.finish_reason,
        "duration_ms": outcome.duration_ms,
        "prompt_tokens": len(outcome.text.prompt_token_ids),
        "output_tokens": len(outcome.text.output_token_ids),
        "events_count": outcome.events_count,
        "actions_count": outcome.actions_count,
        "activation_rows_count": outcome.activation_rows_count,
        "unique_features_count": outcome.unique_features_count,
        "top_features_preview": [list(pair) for pair in outcome.top_features_preview],
    }


def timeline_values(request_id: str, ordinal: int, timeline: TimelineRecord) -> dict[str, Any]:
    """The columns of `timeline`."""
    return {
        "request_id": request_id,
        "sae_id": timeline.sae_id,
        "ordinal": ordinal,
        "hook_name": timeline.hook_name,
        "layer": timeline.layer,
        "top_k": timeline.top_k,
        "error": timeline.error,
        "feature_timeline": encode_timeline(timeline),
    }


def timeline_record(row: Row[Any]) -> TimelineRecord:
    """The record of a row of TIMELINE_COLUMNS."""
    feature_ids, activations, l0 = decode_timeline(row.feature_timeline)
    return TimelineRecord(
        sae_id=row.sae_id,
        hook_name=row.hook_name,
        layer=row.layer,
        top_k=row.top_k,
        feature_ids=feature_ids,
        activations=activations,
        l0=l0,
        error=row.error,
    )
