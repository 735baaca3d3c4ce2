"""Finished runs of any length with made tokens and features, stored as the engine stores its own.

Features are drawn as SAEs give them: a few fire often, most rarely, and activations are log-normal.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import numpy as np

from services.runs.execution import Outcome
from services.runs.features import SaeOutcome
from services.runs.request import RunRequest
from services.runs.store import RunStore
from services.types import FeatureTimeline, RunStatus, SaeInfo, Segment, Token

_MODEL_ID = "made"
_D_SAE = 16_384
_WORDS = (" once", " upon", " a", " time", ",", " there", " was", " the", "\n", " def", "(", ".")


@dataclass(frozen=True, slots=True)
class Shape:
    """How long a run is, and how many features its tokens have."""

    positions: int
    prompt: int = 32  # of the positions
    top_k: int = 20
    n_saes: int = 1


def store_run(store: RunStore, shape: Shape, seed: int) -> str:
    """Store a made run; its id."""
    rng = np.random.default_rng(seed)
    request_id = uuid.uuid4().hex
    layers = range(shape.n_saes)
    saes = [_sae(layer) for layer in layers]
    tokens = _tokens(shape, rng)
    request = RunRequest(
        prompt="".join(t.text for t in tokens[: shape.prompt]),
        chat_template="off",
        model_id=_MODEL_ID,
        sae_ids=tuple(sae.sae_id for sae in saes),
        sae_top_k=shape.top_k,
        max_tokens=shape.positions,
        seed=seed,
    )
    outcome = Outcome(
        status=RunStatus.OK,
        rendered_prompt=request.prompt,
        output_text="".join(t.text for t in tokens[shape.prompt :]),
        tokens=tokens,
        finish_reason="length",
        saes=[_features(sae, shape, rng) for sae in saes],
        provenance={"seed": seed, "device": "cpu", "dtype": "float32", "duration_s": 1.0},
    )
    store.insert(request_id, request, request.fingerprint, saes)
    if not (store.claim(request_id) and store.finish(request_id, outcome)):
        raise RuntimeError("a made run could not be stored")
    return request_id


def _sae(layer: int) -> SaeInfo:
    hook = f"blocks.{layer}.hook_resid_post"
    return SaeInfo(f"made-l{layer}", _MODEL_ID, hook, layer, 1024, _D_SAE, "jumprelu", "0" * 64)


def _tokens(shape: Shape, rng: np.random.Generator) -> tuple[Token, ...]:
    words = rng.integers(0, len(_WORDS), shape.positions).tolist()
    logprobs = (-rng.gamma(1.0, 1.5, shape.positions)).tolist()
    return tuple(
        Token(
            position=position,
            token_id=100 + word,
            text=_WORDS[word],
            is_special=position == 0,
            segment=Segment.PROMPT if position < shape.prompt else Segment.OUTPUT,
            logprob=None if position < shape.prompt else logprobs[position],
        )
        for position, word in enumerate(words)
    )


def _features(sae: SaeInfo, shape: Shape, rng: np.random.Generator) -> SaeOutcome:
    """Exactly `top_k` distinct features at each position, strongest first."""
    size, places = (shape.positions, shape.top_k), np.arange(shape.top_k)
    popularity = np.cumsum(1 / np.arange(10, 10 + _D_SAE - shape.top_k))
    drawn = np.searchsorted(popularity / popularity[-1], (places + rng.random(size)) / shape.top_k)
    distinct = np.maximum.accumulate(drawn - places, axis=1) + places
    ids = rng.permutation(_D_SAE)[rng.permuted(distinct, axis=1)].astype(np.int32)
    values = -np.sort(-rng.lognormal(0, 0.8, size).astype(np.float32), axis=1)
    timeline = FeatureTimeline(
        sae_id=sae.sae_id,
        hook_name=sae.hook_name,
        layer=sae.layer,
        top_k=shape.top_k,
        feature_ids=ids,
        activations=values,
        l0=np.full(shape.positions, shape.top_k, np.int32),
    )
    strongest, hits = np.zeros(_D_SAE, np.float32), np.zeros(_D_SAE, np.int32)
    np.maximum.at(strongest, ids[1:], values[1:])  # not at BOS
    np.add.at(hits, ids[1:], 1)
    return SaeOutcome(timeline, strongest, hits, {"sae_id": sae.sae_id})
