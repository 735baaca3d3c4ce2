"""Probes as a file."""

from __future__ import annotations

import csv
import io

from services.probes.scoring import fires
from services.runs.export import csv_safe, in_filename
from services.types import Download
from services.types.probes import ProbeReport

_COLUMNS = (
    "probe_id", "sae_id", "feature_id", "text", "should_fire", "measured_max", "is_stale",
    "author", "created_at",
)  # fmt: skip


def to_csv(report: ProbeReport) -> Download:
    """All probes, with whether each fires at the report's threshold; empty where not measured."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([*_COLUMNS, "threshold", "fires"])
    for probe in report.probes:
        values = [csv_safe(getattr(probe, name)) for name in _COLUMNS[:-1]]
        does = None if probe.measured_max is None else fires(probe, report.threshold)
        writer.writerow([*values, probe.created_at.isoformat(), report.threshold, does])
    name = f"actiscope-{in_filename(report.sae_id)}-{report.feature_id}-probes.csv"
    return Download(name, "text/csv; charset=utf-8", out.getvalue().encode())
