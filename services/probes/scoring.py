"""From measured probes to precision and recall. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from services.evidence.bounds import wilson
from services.types.probes import Probe, ProbeReport


def report(sae_id: str, feature_id: int, probes: Sequence[Probe], threshold: float) -> ProbeReport:
    """How well the feature tells its probes apart; those not measured with the weights that are
    there now do not count.
    """
    counted = [(probe.should_fire, fires(probe, threshold)) for probe in probes if probe.counts]
    fired, missed = counted.count((True, True)), counted.count((True, False))
    wrongly, silent = counted.count((False, True)), counted.count((False, False))
    return ProbeReport(
        sae_id=sae_id,
        feature_id=feature_id,
        threshold=threshold,
        probes=tuple(probes),
        fired=fired,
        missed=missed,
        fired_wrongly=wrongly,
        silent=silent,
        precision=_share(fired, fired + wrongly),
        precision_bounds=wilson(fired, fired + wrongly),
        recall=_share(fired, fired + missed),
        recall_bounds=wilson(fired, fired + missed),
    )


def fires(probe: Probe, threshold: float) -> bool:
    """Whether the feature goes above the threshold on it, as it was measured; below, where its
    activations are negative.
    """
    return abs(probe.measured_max or 0.0) > threshold


def _share(k: int, n: int) -> float | None:
    return k / n if n else None
