"""Probes: texts that a feature should, or should not, fire on, and how well it does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from services.types.features import Bounds
from services.types.runs import FloatArray, IntArray


class FiringFeatures(NamedTuple):
    """The features that fire somewhere in a text, ascending, and each one's largest activation."""

    feature_ids: IntArray
    values: FloatArray  # of negative activations the one furthest from 0, with its sign


@dataclass(frozen=True, slots=True)
class Probe:
    """A text with what somebody expects of a feature."""

    probe_id: str
    sae_id: str
    feature_id: int
    text: str
    should_fire: bool
    measured_max: float | None  # None: not measured yet
    is_stale: bool  # measured with other weights than are there now
    author: str
    created_at: datetime

    @property
    def counts(self) -> bool:
        """Whether what was measured still holds."""
        return self.measured_max is not None and not self.is_stale


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """How well a feature tells its probes apart at a threshold, from those that count."""

    sae_id: str
    feature_id: int
    threshold: float  # a probe fires above it
    probes: tuple[Probe, ...]  # oldest first
    fired: int  # of those that should: true positives
    missed: int
    fired_wrongly: int
    silent: int  # rightly
    precision: float | None  # None where none fires
    precision_bounds: Bounds | None  # Wilson, 95 %
    recall: float | None  # None where none should
    recall_bounds: Bounds | None

    @property
    def n(self) -> int:
        """Probes that precision and recall are made of."""
        return self.fired + self.missed + self.fired_wrongly + self.silent
