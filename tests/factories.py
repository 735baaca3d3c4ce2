"""Made runs: random but reproducible views with everything a stored run has."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from services.types import FeatureTimeline, RunStatus, RunSummary, RunView, Segment, Token

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


def timeline(
    seed: int = 0,
    *,
    positions: int = 30,
    d_sae: int = 64,
    top_k: int = 5,
    sae_id: str = "sae-a",
    layer: int = 1,
) -> tuple[FeatureTimeline, np.ndarray]:
    """A timeline with ragged L0, and the dense [positions, d_sae] matrix it was made from."""
    rng = np.random.default_rng(seed)
    dense = rng.gamma(2.0, 2.0, (positions, d_sae)).astype(np.float32)
    dense[rng.random((positions, d_sae)) > rng.uniform(0, 0.4, (positions, 1))] = 0
    l0 = (dense > 0).sum(1).astype(np.int32)
    kept = max(top_k, int(l0.max()))
    order = np.argsort(-dense, axis=1, kind="stable")[:, :kept].astype(np.int32)
    values = np.take_along_axis(dense, order, 1)
    ids = np.where(values > 0, order, -1).astype(np.int32)
    made = FeatureTimeline(sae_id, f"blocks.{layer}.hook_resid_post", layer, top_k, ids, values, l0)
    return made, dense


def tokens(seed: int = 0, *, prompt: int = 12, output: int = 18) -> tuple[Token, ...]:
    """Tokens with BOS and a few other special ones."""
    rng = np.random.default_rng(seed)
    return tuple(
        Token(
            position=i,
            token_id=int(rng.integers(0, 50)),
            text=f" t{i}",
            is_special=i == 0 or bool(rng.random() < 0.1),
            segment=Segment.PROMPT if i < prompt else Segment.OUTPUT,
            logprob=None if i < prompt else -float(rng.random()),
        )
        for i in range(prompt + output)
    )


def run_view(
    request_id: str = "run-1",
    *,
    timelines: tuple[FeatureTimeline, ...] | None = None,
    made_tokens: tuple[Token, ...] | None = None,
    status: RunStatus = RunStatus.OK,
) -> RunView:
    """A finished run."""
    made_tokens = tokens() if made_tokens is None else made_tokens
    timelines = (timeline()[0],) if timelines is None else timelines
    prompt_tokens = sum(t.segment is Segment.PROMPT for t in made_tokens)
    summary = RunSummary(
        request_id=request_id,
        created_at=NOW,
        updated_at=NOW,
        status=status,
        error_message=None,
        model_id="model-a",
        sae_ids=tuple(t.sae_id for t in timelines),
        sae_layers=tuple(t.layer for t in timelines),
        sae_top_k=timelines[0].top_k if timelines else 0,
        prompt_preview="a prompt",
        prompt_chars=8,
        prompt_tokens=prompt_tokens,
        output_tokens=len(made_tokens) - prompt_tokens,
        activation_rows_count=0,
        unique_features_count=0,
        duration_ms=1234,
        finish_reason="stop",
        top_features_preview=(),
        notes="",
    )
    return RunView(
        summary=summary,
        prompt="a prompt",
        rendered_prompt="<bos>a prompt",
        output_text="".join(t.text for t in made_tokens[prompt_tokens:]),
        tokens=made_tokens,
        timelines=timelines,
        request={"prompt": "a prompt", "max_tokens": 128, "seed": 3},
        provenance={"writing_s": 0.5},
    )
