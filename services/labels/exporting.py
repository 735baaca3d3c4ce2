"""Labels as a file."""

from __future__ import annotations

from db.label_records import LabelledSae
from services.errors import Unsupported
from services.labels.requests import Format
from services.labels.snapshot import LabelSnapshot
from services.labels.store import LabelStore
from services.types import Download


def exported(
    store: LabelStore, sae: LabelledSae, snapshot: LabelSnapshot, format: Format
) -> Download:
    """All labels of an SAE."""
    raise Unsupported(f"{format} is not written yet")
