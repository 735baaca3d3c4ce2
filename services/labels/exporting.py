"""Labels as a file; a file that came in goes out as it was, with what was changed since."""

from __future__ import annotations

from collections.abc import Callable

from db.label_records import LabelledSae, LabelRecord
from services.labels.formats import native, neuronpedia, plain, splatnlp, table
from services.labels.formats.items import ReadMarks, Written
from services.labels.requests import Format
from services.labels.store import Everything
from services.runs.export import in_filename
from services.types import Download

_WRITERS: dict[Format, Callable[[Written], bytes]] = {
    "csv": table.write,
    "json": native.write,
    "neuronpedia": neuronpedia.write,
    "saelens": plain.write,
    "splatnlp": splatnlp.write,
}
_CSV, _JSON = "text/csv; charset=utf-8", "application/json"


def exported(sae: LabelledSae, everything: Everything, format: Format) -> Download:
    """All labels of an SAE."""
    document = everything.document
    document_id = document.document_id if document else None
    labels = everything.labels
    if document_id is not None:
        labels = sorted(labels, key=lambda label: _place(label, document_id))
    marks = {
        id: ReadMarks(id, row.is_starred, row.skip_reason, row.skipped_by)
        for id, row in everything.features.items()
        if row.is_starred or row.skip_reason is not None
    }
    chosen = (row.chosen_label_id for row in everything.features.values())
    layout = document.layout if document else None
    what = Written(sae, labels, marks, frozenset(filter(None, chosen)), layout, document_id)
    content = _WRITERS[format](what)
    return Download(_filename(sae, format, layout), _CSV if format == "csv" else _JSON, content)


def _place(label: LabelRecord, document_id: str) -> tuple[int, int]:
    """Those of the document first, in its order; the others follow by feature."""
    is_of_it = label.document_id == document_id and label.document_row is not None
    return (0, label.document_row or 0) if is_of_it else (1, 0)


def _filename(sae: LabelledSae, format: Format, layout: object) -> str:
    is_lines = isinstance(layout, dict) and layout.get("form") == "lines"
    ending = {"csv": "csv"}.get(format, "jsonl" if is_lines else "json")
    kind = "" if format in ("csv", "json") else f"-{format}"
    return f"actiscope-labels-{in_filename(sae.sae_id)}{kind}.{ending}"
