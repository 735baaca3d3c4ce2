"""Families as files: a line for each member, or everything as JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Any, Literal

from services.runs.export import csv_safe
from services.types.features import FamilySet

FamilyFormat = Literal["csv", "json"]
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_COLUMNS = ("family", "feature", "size", "cohesion", "tokens")


def families_file(found: FamilySet, format: FamilyFormat) -> bytes:
    """The set as a file."""
    return _csv(found) if format == "csv" else json.dumps(family_document(found)).encode()


def family_document(found: FamilySet) -> dict[str, Any]:
    """The set as JSON values."""
    document = asdict(found)
    document["created_at"] = None if found.created_at is None else found.created_at.isoformat()
    return document


def _csv(found: FamilySet) -> bytes:
    """RFC 4180, for spreadsheets too: no text is a formula, the tokens are JSON."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(_COLUMNS)
    for family in found.families:
        tokens = json.dumps([token.text for token in family.tokens], ensure_ascii=False)
        rest = (len(family.features), family.cohesion, csv_safe(tokens))
        writer.writerows((family.number, feature, *rest) for feature in family.features)
    return out.getvalue().encode()
