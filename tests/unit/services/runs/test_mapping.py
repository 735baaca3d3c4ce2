"""What the database keeps of a run is what was there."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from services.errors import Internal
from services.runs.execution import Outcome
from services.runs.features import SaeOutcome
from services.runs.mapping import outcome_of, text_of
from services.types import RunStatus
from tests.factories import timeline, tokens


def test_a_logprob_that_is_not_finite_is_kept_as_none():
    made = tokens()
    odd = [replace(made[15], logprob=-math.inf), replace(made[16], logprob=-0.5)]
    kept = text_of([*made[:15], *odd], "", "").tokens.logprobs
    assert np.isnan(kept[15]) and kept[16] == -0.5


def test_counts_and_preview_come_from_the_top_k_of_tokens_that_count():
    made, dense = timeline(4)
    shown = tokens()
    counted = ~np.array([t.is_special for t in shown])
    sae = SaeOutcome(made, dense[counted].max(0), (dense[counted] > 0).sum(0).astype(np.int32))
    record = outcome_of(
        Outcome(status=RunStatus.OK, tokens=shown, saes=[sae], provenance={"duration_s": 1.5})
    )
    order = [sorted(np.flatnonzero(row), key=lambda f: -row[f])[: made.top_k] for row in dense]
    assert record.activation_rows_count == sum(map(len, order))
    assert record.unique_features_count == len(
        {int(f) for row, is_counted in zip(order, counted, strict=True) if is_counted for f in row}
    )
    best = np.argsort(-dense[counted].max(0), kind="stable")[:5]
    assert record.top_features_preview == tuple((made.sae_id, int(f)) for f in best)
    assert record.duration_ms == 1500
    fired = record.fired[0]
    np.testing.assert_array_equal(fired.feature_ids, np.flatnonzero((dense[counted] > 0).any(0)))


def test_an_outcome_that_cannot_be_stored_keeps_its_text():
    made, _ = timeline(4)
    whole = Outcome(
        status=RunStatus.OK,
        tokens=tokens(),
        output_text="text",
        finish_reason="stop",
        saes=[SaeOutcome(made)],
    )
    without = whole.without_features(Internal("why"))
    assert (without.status, without.output_text) == (RunStatus.PARTIAL, "text")
    assert without.tokens == whole.tokens and without.saes == []
    cut = replace(whole, finish_reason=None).without_features(Internal("why"))
    assert cut.status is RunStatus.ERROR and cut.tokens == whole.tokens
