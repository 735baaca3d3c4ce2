"""Every threshold of the verdict in one table, with its reason.

`suspicious` and `broken` are limits of the named quantity; None where no value means that much.
They were chosen so that SAEs of sound make pass on a text that is not theirs, and that each wrong
of tests/integration/engine/test_preflight_wrongs.py is caught.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.types import Verdict


@dataclass(frozen=True, slots=True)
class Limit:
    """From where on a quantity speaks against the pair."""

    suspicious: float | None
    broken: float | None
    why: str
    is_floor: bool = False  # values below it are bad, not values above

    def judge(self, value: float | None) -> Verdict | None:
        """What `value` says; None when it is unknown or all right."""
        if value is None:
            return None
        for limit, verdict in (
            (self.broken, Verdict.BROKEN),
            (self.suspicious, Verdict.SUSPICIOUS),
        ):
            if limit is not None and (value < limit if self.is_floor else value > limit):
                return verdict
        return None


LIMITS: Mapping[str, Limit] = {
    "explained_variance": Limit(
        0.5, 0.3, "published SAEs explain 0.6 to 0.95 of the variance; on other text 0.1 less", True
    ),
    "loss_recovered": Limit(
        0.8, 0.5, "SAEs on a residual stream recover 0.9 and more of what zeros cost", True
    ),
    "loss_recovered_elsewhere": Limit(
        0.4, 0.0, "zeros in one attention or MLP output cost little, so shares of it scatter", True
    ),
    "l0_share": Limit(
        0.1, 0.25, "sparse means a few per cent of the features; a dropped threshold gives a third"
    ),
    "l0": Limit(2.0, 1.0, "with less than one feature per token nothing is described", True),
    "l0_factor": Limit(
        2.0, 5.0, "other text moves L0 by tens of per cent, not by a factor; either direction"
    ),
    "explained_variance_gap": Limit(
        0.2, 0.5, "published figures come from other text and, often, from a mean of ratios"
    ),
    "loss_recovered_gap": Limit(0.1, 0.4, "the loss recovered moves less with the text"),
    "norm_factor": Limit(
        1.5, 4.0, "mean norms differ by tens of per cent between texts, scales by large factors"
    ),
    "scale": Limit(
        1.4, 2.0, "sound SAEs fit slightly better with inputs scaled by up to 1.2; either direction"
    ),
    "empty_features": Limit(0.05, 0.25, "training leaves no column of the encoder exactly zero"),
    "empty_inputs": Limit(0.0, 0.05, "training leaves no number of the input unread"),
    "unlike": Limit(
        0.1,
        0.2,
        "under 0.1 % of the demo's features write what they do not read; asked only "
        "where the reconstruction is worse than CAUSE_ASKED or than published",
    ),
    "dead_share": Limit(
        0.5, None, "half of all features silent, where each had 20 chances to fire by the mean"
    ),
    "context_factor": Limit(
        1.5, None, "the error beyond the trained context against the error within it"
    ),
    "bos_gap": Limit(0.1, None, "explained variance lost when the text has no BOS"),
    "guessing": Limit(
        0.9, None, "share of ln(vocabulary): at 1 the model's loss is that of pure guessing"
    ),
    "unknown_tokens": Limit(0.05, 0.5, "share of the text that the tokenizer cannot spell"),
}

CHANCES = 20
"""`dead_share` is judged when L0 · tokens / d_sae is at least this."""
CAUSE_ASKED = 0.6
"""Explained variance below which the weights are asked for a cause."""
CAUSE_FVU = 0.75
"""A cause is named when undoing it leaves at most this share of the unexplained variance ..."""
CAUSE_EXPLAINS = 0.4
"""... and at least this much is explained then."""
CAUSE_DENSE = 4
"""Too many features fire when keeping a fourth of them fits better."""
