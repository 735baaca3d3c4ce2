"""What an SAE says about itself: how it wants to be fed, and how good its publisher found it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.sae.catalogue import SaeEntry
from services.sae.config import norm_at
from services.sae.decode import metadata

_PUBLISHED = ("l0", "explained_variance", "loss_recovered", "dead_share")


@dataclass(frozen=True, slots=True)
class Stated:
    """Read from `cfg.json`; None where it is silent."""

    prepend_bos: bool  # whether texts began with BOS in training; so they do unless it denies it
    says_bos: bool  # whether it says so itself
    context_size: int | None
    input_norm: float | None  # the mean norm of the activations it was trained on
    published: Mapping[str, float]


def read_stated(entry: SaeEntry, published: Mapping[str, float]) -> Stated:
    """What the configuration of `entry` states; `published` goes before its own figures."""
    meta = metadata(entry)
    bos = meta.get("prepend_bos")
    figures: dict[str, Any] = {name: meta.get(name) for name in _PUBLISHED}
    figures |= published
    context = meta.get("context_size")
    return Stated(
        prepend_bos=bos is not False,
        says_bos=bos is True,
        context_size=context if isinstance(context, int) and context > 0 else None,
        input_norm=_input_norm(entry, meta),
        published={name: float(v) for name, v in figures.items() if _is_known(name, v)},
    )


def _is_known(name: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False
    # Lists of SAEs fill what they do not know with an L0 of 0 and an explained variance of 1.
    return not (name == "l0" and value <= 0) and not (name == "explained_variance" and value >= 1)


def _input_norm(entry: SaeEntry, meta: Mapping[str, Any]) -> float | None:
    """What was recorded when its scale was folded into the weights; else what the scale says."""
    config, recorded = entry.config, meta.get("expected_input_norm")
    if config.input_scale != 1:
        return norm_at(config.d_in, config.input_scale)
    if isinstance(recorded, (int, float)) and not isinstance(recorded, bool) and recorded > 0:
        return float(recorded) if math.isfinite(recorded) else None
    return norm_at(config.d_in, meta.get("norm_scaling_factor"))
