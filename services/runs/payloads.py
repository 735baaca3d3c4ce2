"""A run as plain JSON values, in the contract's field names: what REST answers and files hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from services.types import FeatureTimeline, RunSummary, RunView, Segment, Token


def summary_document(summary: RunSummary) -> dict[str, Any]:
    """The listing's line as JSON values."""
    return {
        **asdict(summary),
        "status": summary.status.value,
        "created_at": summary.created_at.isoformat(),
        "updated_at": summary.updated_at.isoformat(),
        "sae_enabled": summary.sae_enabled,
        "sae_id": summary.sae_ids[0] if summary.sae_ids else None,
        "sae_layer": summary.sae_layers[0] if summary.sae_layers else None,
    }


def token_document(token: Token) -> dict[str, Any]:
    """A token as JSON values."""
    return {
        "position": token.position,
        "token": token.token_id,
        "token_str": token.text,
        "is_special": token.is_special,
        "segment": token.segment.value,
        "logprob": token.logprob,
    }


def timeline_document(timeline: FeatureTimeline, tokens: Sequence[Token]) -> list[dict[str, Any]]:
    """`[{position, token, token_str, …, top_features: [{id, activation}]}]`, by position."""
    ids = timeline.feature_ids[:, : timeline.top_k].tolist()
    values = timeline.activations[:, : timeline.top_k].tolist()
    return [
        {
            **token_document(tokens[position]),
            "top_features": [
                {"id": i, "activation": v} for i, v in zip(row, acts, strict=True) if i >= 0
            ],
        }
        for position, (row, acts) in enumerate(zip(ids, values, strict=True))
    ]


def run_document(view: RunView) -> dict[str, Any]:
    """Everything of the run as JSON values."""
    return {
        "request_id": view.summary.request_id,
        "status": view.summary.status.value,
        "created_at": view.summary.created_at.isoformat(),
        "error_message": view.summary.error_message,
        "prompt": view.prompt,
        "rendered_prompt": view.rendered_prompt,
        "output": output_document(view),
        "tokens": [token_document(t) for t in view.tokens],
        "run_summary": summary_document(view.summary),
        "request": dict(view.request),
        "provenance": dict(view.provenance),
        "features": [features_document(t, view.tokens) for t in view.timelines],
    }


def features_document(timeline: FeatureTimeline, tokens: Sequence[Token]) -> dict[str, Any]:
    """What one SAE saw."""
    return {
        "sae_id": timeline.sae_id,
        "hook_name": timeline.hook_name,
        "sae_layer": timeline.layer,
        "top_k": timeline.top_k,
        "error": timeline.error,
        "l0": timeline.l0.tolist(),
        "feature_timeline": timeline_document(timeline, tokens),
    }


def output_document(view: RunView) -> dict[str, Any]:
    """What the model wrote: text, token ids, and the log-probability of each."""
    written = [t for t in view.tokens if t.segment is Segment.OUTPUT]
    return {
        "text": view.output_text,
        "token_ids": [t.token_id for t in written],
        "logprobs": [t.logprob for t in written],
    }
