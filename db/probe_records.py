"""The plain values of probes that their repository takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRecord:
    """A probe as its row has it."""

    probe_id: str
    sae_id: str
    feature_id: int
    text: str
    should_fire: bool
    measured_max: float | None
    measured_with: str | None  # what the weights were; None together with `measured_max`
    author: str
    created_at: datetime
