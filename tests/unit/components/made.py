"""Made values for the tests of the components: a run of any length, hostile tokens, a health."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np

from services.types import (
    ActivationRow,
    Check,
    FeatureDelta,
    FeatureDeltas,
    FeatureTimeline,
    Health,
    LiveRun,
    RunStatus,
    RunSummary,
    RunView,
    Segment,
    Token,
    TopFeature,
)

HOSTILE = [
    "<script>window.__xss=1</script>",
    "<img src=x onerror='window.__xss=1'>",
    '"><svg onload=window.__xss=1>',
    "<a href='javascript:window.__xss=1'>x</a>",
    "<b>bold</b>&lt;i&gt;&amp;",
    "\u202egnp.exe",
    "zero\u200bwidth\x00nul\x1b[31m",
    "{{constructor.constructor('window.__xss=1')()}}",
    "javascript:window.__xss=1",
]
_WORDS = (
    "<|user|>", " The", " old", " harbour", " was", " quiet", ".", "\n\n", "  ", "Only", " the",
    " gulls", ",", " the", " wind", " and", " a", " loose", " rope", " kept", " the", " time", ".",
    "<|assistant|>", "\n", " Far", " out", " beyond", " the", " break", "water", ",", " one",
    " lamp", " blink", "ed", ".", " Number", " ", "4", "2", "?", "\n", "for", " i", " in", " range",
    "(", "n", "):", "\n", "    ", "yield", " n", "aïve", "日本", "語", "\\xe2\\x80", "🌊", "\t",
)  # fmt: skip
SPLIT = 25


def make_tokens(n: int, split: int = SPLIT, words: tuple[str, ...] = _WORDS) -> tuple[Token, ...]:
    """`n` tokens that repeat `words`; the first `split` are the prompt."""
    return tuple(
        Token(
            position=i,
            token_id=1000 + i,
            text=words[i % len(words)],
            is_special=words[i % len(words)].startswith("<|"),
            segment=Segment.PROMPT if i < split else Segment.OUTPUT,
            logprob=None if i < split else -0.01 - 3 * abs(math.sin(i * 1.7)),
        )
        for i in range(n)
    )


def make_timeline(n: int, top_k: int = 8, d_sae: int = 4096) -> FeatureTimeline:
    """`top_k` features per position, some of which come back often."""
    random = np.random.default_rng(7)
    ids = np.stack([random.choice(d_sae, top_k, replace=False) for _ in range(n)]).astype(np.int32)
    values = np.sort(random.gamma(1.4, 2.4, (n, top_k)).astype(np.float32), axis=1)[:, ::-1].copy()
    for column, feature in enumerate((101, 202, 303)):
        chosen = random.random(n) < 0.3
        ids[chosen, column] = feature
    values[0] *= 12
    l0 = np.full(n, top_k, np.int32)
    return FeatureTimeline("demo-sae", "blocks.3.hook_resid_post", 3, top_k, ids, values, l0)


def make_summary(status: RunStatus = RunStatus.OK, number: int = 0, **values: object) -> RunSummary:
    """A run's summary; `values` replace single fields."""
    when = datetime(2026, 11, 20, 14, 5 + number % 50, tzinfo=UTC)
    fields: dict[str, object] = {
        "request_id": f"0192f0c1-7a4e-7cc1-9b0a-{number:012d}",
        "created_at": when,
        "updated_at": when,
        "status": status,
        "error_message": None,
        "model_id": "demo-1m",
        "sae_ids": ("demo-1m-l2", "demo-1m-l4"),
        "sae_layers": (2, 4),
        "sae_top_k": 20,
        "prompt_preview": "The old harbour was quiet. Only the gulls, the wind and a loose rope "
        "kept the time, and nobody had come down to the water since the morning.",
        "prompt_chars": 140,
        "prompt_tokens": 25,
        "output_tokens": 128,
        "activation_rows_count": 3060,
        "unique_features_count": 1432,
        "duration_ms": 1840,
        "finish_reason": "length",
        "top_features_preview": (("demo-1m-l2", 101),),
        "notes": "first look",
    }
    return RunSummary(**{**fields, **values})  # type: ignore[arg-type]


def make_view(n: int, words: tuple[str, ...] = _WORDS) -> RunView:
    """A finished run of `n` tokens with one SAE."""
    tokens = make_tokens(n, words=words)
    return RunView(
        summary=make_summary(),
        prompt="The old harbour",
        rendered_prompt="<|user|> The old harbour",
        output_text="".join(token.text for token in tokens[SPLIT:]),
        tokens=tokens,
        timelines=(make_timeline(n),),
        request={"temperature": 0.7, "top_p": 0.95, "top_k": 0},
        provenance={"seed": 42},
    )


def make_top(view: RunView, count: int = 12) -> list[TopFeature]:
    """The features of the run's timeline with the largest maximum, as the service ranks them."""
    timeline = view.timelines[0]
    found = []
    for feature in np.unique(timeline.feature_ids):
        values = timeline.values_of(int(feature))
        hits = int((values > 0).sum())
        found.append(
            TopFeature(
                timeline.sae_id, int(feature), float(values.max()), hits,
                float(values.sum() / hits), int(values.argmax()),
            )
        )  # fmt: skip
    return sorted(found, key=lambda f: -f.max_activation)[:count]


def make_deltas(view: RunView, feature: int = 101) -> FeatureDeltas:
    """Value and change by position of one feature."""
    values = view.timelines[0].values_of(feature).tolist()
    points = [
        FeatureDelta(
            t.position, t.token_id, t.text, values[i], values[i - 1] if i else None,
            i - 1 if i else None, values[i] - values[i - 1] if i else None,
        )
        for i, t in enumerate(view.tokens)
    ]  # fmt: skip
    return FeatureDeltas("demo-sae", feature, tuple(points))


def make_rows(view: RunView) -> list[ActivationRow]:
    """One row per kept feature and position."""
    timeline = view.timelines[0]
    return [
        ActivationRow(
            max(0, t.position - SPLIT + 1), t.position, t.token_id, t.text, t.segment,
            t.is_special, timeline.sae_id, int(timeline.feature_ids[t.position, rank]),
            float(timeline.activations[t.position, rank]), rank + 1,
        )
        for t in view.tokens
        for rank in range(timeline.top_k)
    ]  # fmt: skip


def make_live(written: int, phase: str = "writing") -> LiveRun:
    """A run under way that has written `written` tokens."""
    tokens = make_tokens(SPLIT + written)
    return LiveRun(
        "live", RunStatus.RUNNING, phase, tokens[:SPLIT], tokens[SPLIT:], 400, 41.27, 0
    )  # fmt: skip


def make_health() -> Health:
    """A product with one problem."""
    checks = (
        Check("database", True, "SQLite answers", {"revision": "0001", "runs": 1204}),
        Check("model", True, "demo-1m is loaded", {"dtype": "float32", "MiB": 12.4}),
        Check("sae:demo-1m-l4", False, "weights do not match d_in 128: the file has 256"),
    )
    return Health("degraded", checks, {"actiscope": "0.1.0", "dash": "4.4.1", "torch": "2.10"})
