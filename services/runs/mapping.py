"""Between what the database keeps of a run and what the rest of the house sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from db.records import (
    FiredFeatures,
    RunIndexRecord,
    RunOutcome,
    RunText,
    StoredRun,
    TimelineRecord,
    TokenTable,
)
from services.runs.execution import Outcome
from services.runs.features import SaeOutcome
from services.types import FeatureTimeline, RunStatus, RunSummary, RunView, Segment, Token

_PREVIEWED_FEATURES = 5


def summary_of(record: RunIndexRecord) -> RunSummary:
    """The listing's line."""
    return RunSummary(
        request_id=record.request_id,
        created_at=record.created_at,
        updated_at=record.updated_at,
        status=RunStatus(record.status),
        error_message=record.error_message,
        model_id=record.model_id,
        sae_ids=tuple(record.sae_ids),
        sae_layers=tuple(record.sae_layers),
        sae_top_k=record.sae_top_k,
        prompt_preview=record.prompt_preview,
        prompt_chars=record.prompt_chars,
        prompt_tokens=record.prompt_tokens,
        output_tokens=record.output_tokens,
        activation_rows_count=record.activation_rows_count,
        unique_features_count=record.unique_features_count,
        duration_ms=record.duration_ms,
        finish_reason=record.finish_reason,
        top_features_preview=record.top_features_preview,
        notes=record.notes,
        events_count=record.events_count,
        actions_count=record.actions_count,
    )


def view_of(stored: StoredRun) -> RunView:
    """Everything of the run; `stored` was read with preview and timelines."""
    preview = stored.preview
    assert preview is not None, "read with_preview=True"
    return RunView(
        summary=summary_of(stored.index),
        prompt=preview.prompt,
        rendered_prompt=preview.text.rendered_prompt,
        output_text=preview.text.output_text,
        tokens=_tokens_of(preview.text),
        timelines=tuple(_timeline_of(record) for record in stored.timelines),
        request=preview.request,
        provenance=preview.provenance,
    )


def text_of(tokens: Sequence[Token], rendered_prompt: str, output_text: str) -> RunText:
    """What was read and written, as the database keeps it."""
    logprobs = [np.nan if t.logprob is None else t.logprob for t in tokens]
    logprobs = [value if np.isfinite(value) else np.nan for value in logprobs]  # underflow to 0
    return RunText(
        rendered_prompt=rendered_prompt,
        prompt_token_ids=[t.token_id for t in tokens if t.segment is Segment.PROMPT],
        output_text=output_text,
        output_token_ids=[t.token_id for t in tokens if t.segment is Segment.OUTPUT],
        tokens=TokenTable(
            tuple(t.text for t in tokens),
            np.array([t.is_special for t in tokens], bool),
            np.array(logprobs, np.float32),
        ),
    )


def outcome_of(outcome: Outcome) -> RunOutcome:
    """A finished run, as the database keeps it."""
    special = np.array([t.is_special for t in outcome.tokens], bool)
    error = outcome.error
    failures = [s.timeline for s in outcome.saes if s.timeline.error is not None]
    reason = error.message if error else "; ".join(f"{t.sae_id}: {t.error}" for t in failures)
    return RunOutcome(
        status=outcome.status.value,
        text=text_of(outcome.tokens, outcome.rendered_prompt, outcome.output_text),
        error_message=reason or None,
        finish_reason=outcome.finish_reason,
        duration_ms=round(outcome.provenance.get("duration_s", 0) * 1000),
        activation_rows_count=sum(_rows(s.timeline) for s in outcome.saes),
        unique_features_count=sum(_distinct(s.timeline, special) for s in outcome.saes),
        top_features_preview=_strongest_features(outcome.saes),
        provenance=outcome.provenance,
        timelines=[_timeline_record(s.timeline) for s in outcome.saes],
        fired=[_fired(s) for s in outcome.saes if s.feature_max is not None],
    )


def _tokens_of(text: RunText) -> tuple[Token, ...]:
    ids = [*text.prompt_token_ids, *text.output_token_ids]
    n_prompt = len(text.prompt_token_ids)
    table = text.tokens
    logprobs = [None if np.isnan(value) else float(value) for value in table.logprobs]
    rows = zip(ids, table.texts, table.is_special.tolist(), logprobs, strict=True)
    return tuple(
        Token(
            position=position,
            token_id=token_id,
            text=shown,
            is_special=is_special,
            segment=Segment.PROMPT if position < n_prompt else Segment.OUTPUT,
            logprob=logprob,
        )
        for position, (token_id, shown, is_special, logprob) in enumerate(rows)
    )


def _timeline_of(record: TimelineRecord) -> FeatureTimeline:
    return FeatureTimeline(
        sae_id=record.sae_id,
        hook_name=record.hook_name,
        layer=record.layer,
        top_k=record.top_k,
        feature_ids=record.feature_ids,
        activations=record.activations,
        l0=record.l0,
        error=record.error,
    )


def _timeline_record(timeline: FeatureTimeline) -> TimelineRecord:
    return TimelineRecord(
        sae_id=timeline.sae_id,
        hook_name=timeline.hook_name,
        layer=timeline.layer,
        top_k=timeline.top_k,
        feature_ids=timeline.feature_ids,
        activations=timeline.activations,
        l0=timeline.l0,
        error=timeline.error,
    )


def _rows(timeline: FeatureTimeline) -> int:
    return int((timeline.feature_ids[:, : timeline.top_k] >= 0).sum())


def _distinct(timeline: FeatureTimeline, special: np.ndarray) -> int:
    """How many features are among the top-k of a token that is not special."""
    shown = timeline.feature_ids[:, : timeline.top_k]
    shown = shown[~special[: len(shown)]]
    return len(np.unique(shown[shown >= 0]))


def _strongest_features(saes: Sequence[SaeOutcome]) -> tuple[tuple[str, int], ...]:
    """The strongest features of the first SAE that has any."""
    for sae in saes:
        if sae.feature_max is not None and sae.feature_max.any():
            order = np.argsort(-sae.feature_max, kind="stable")[:_PREVIEWED_FEATURES]
            return tuple((sae.timeline.sae_id, int(f)) for f in order if sae.feature_max[f] > 0)
    return ()


def _fired(sae: SaeOutcome) -> FiredFeatures:
    assert sae.feature_max is not None and sae.feature_hits is not None
    return FiredFeatures.from_dense(sae.timeline.sae_id, sae.feature_max, sae.feature_hits)
