"""What an SAE says about itself: how it wants to be fed, and how good its publisher found it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.sae.catalogue import SaeEntry
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
    """A scale s maps inputs to a mean norm of √d_in: they had √d_in / s."""
    scale = meta.get("norm_scaling_factor")
    if entry.config.input_scale != 1:
        scale = entry.config.input_scale
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < 1e30:
        return None
    return float(entry.config.d_in**0.5 / scale)
