"""Whether a preflight still speaks about the weights that are there."""

from __future__ import annotations

from services.types import PreflightReport


def is_stale(report: PreflightReport, sae_revision: str, model_revision: str | None) -> bool:
    """Whether the SAE or (where given) the model has changed since it was measured."""
    pairs = [(report.sae_revision, sae_revision)]
    if model_revision is not None:
        pairs.append((report.model_revision, model_revision))
    return any(_changed(report, measured, present) for measured, present in pairs)


def _changed(report: PreflightReport, measured: str, present: str) -> bool:
    """Large files are not hashed for a listing: these count as changed when they are newer."""
    if not present.startswith("unhashed-") or measured.startswith("unhashed-"):
        return measured != present
    written_at = present.rsplit("-", 1)[-1]
    return not written_at.isdigit() or int(written_at) > report.created_at.timestamp()
