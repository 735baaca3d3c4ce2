"""Labels from a file: read as a whole, checked, and then added in one transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from db.label_records import LabelDocument, LabelledSae, LabelRecord
from services.errors import InvalidArgument
from services.jobs.ids import new_id
from services.labels.draft import Draft
from services.labels.formats.detecting import label_file
from services.labels.formats.items import Entry, LabelFile, Malformed, ReadLabel, ReadMarks
from services.labels.requests import Mode
from services.labels.store import LabelStore
from services.types.labels import ImportProblem, ImportReport

_PROBLEMS_SHOWN = 100
_SAID = ("text", "category", "notes", "confidence", "source", "source_name")

Key = tuple[Any, ...]  # equal for labels that say the same


@dataclass
class Read:
    """What a file says, entry by entry; the row is the number of the entry."""

    labels: list[tuple[int, ReadLabel]] = field(default_factory=list)
    marks: list[ReadMarks] = field(default_factory=list)
    problems: list[ImportProblem] = field(default_factory=list)
    n_skipped: int = 0

    def skip(self, place: str, reason: str) -> None:
        """Leave an entry out."""
        self.n_skipped += 1
        if len(self.problems) < _PROBLEMS_SHOWN:
            self.problems.append(ImportProblem(place, reason))

    @property
    def features(self) -> frozenset[int]:
        """That it says something of."""
        labelled = {label.feature_id for _, label in self.labels}
        return frozenset(labelled | {mark.feature_id for mark in self.marks})


class Imports:
    """Reads files of labels."""

    def __init__(self, store: LabelStore) -> None:
        self._store = store

    def look(self, content: bytes, sae_id: str | None) -> ImportReport:
        """What an import would do; see `Labels.look`."""
        file, sae = self._opened(content, sae_id)
        read = _read(file, sae)
        there = Counter(map(_key_of, self._store.labels(sae.sae_id, read.features)))
        n_known = sum(_take(there, _key(label)) for _, label in read.labels)
        return _report(file, sae, read, n_known, None)

    def add(self, content: bytes, sae_id: str | None, author: str, mode: Mode) -> ImportReport:
        """Add the labels; see `Labels.import_`."""
        file, sae = self._opened(content, sae_id)
        read = _read(file, sae)
        if read.n_skipped and mode == "stop":
            raise _stopped(read)
        document = _document(file)

        def work(draft: Draft) -> int:
            return _add(draft, read, document.document_id if document else None)

        n_known, draft = self._store.write(sae.sae_id, read.features, author, work, document)
        batch_id = draft.batch_id if draft.n_features else None
        return _report(file, sae, read, n_known, batch_id)

    def _opened(self, content: bytes, sae_id: str | None) -> tuple[LabelFile, LabelledSae]:
        """The file, and the SAE that it is of: the one that is named here, or in it."""
        file = label_file(content)
        first = next(file.entries, None)
        file = replace(file, entries=chain([first] if first else [], file.entries))
        named = first.source if first else None
        sae_id = sae_id or file.sae_id or self._shown_as(named)
        if sae_id is None:
            raise InvalidArgument(
                "the file does not say of which SAE its labels are: name one", field="sae_id"
            )
        sae = self._store.sae(sae_id)
        return replace(file, entries=_of_one(file.entries, sae.neuronpedia_id, named)), sae

    def _shown_as(self, neuronpedia_id: str | None) -> str | None:
        if neuronpedia_id is None:
            return None
        found = self._store.saes_of(neuronpedia_id)
        if len(found) != 1:
            n = "no" if not found else "more than one"
            raise InvalidArgument(
                f"the file is of {neuronpedia_id[:200]}, and {n} SAE here is shown there: name one",
                field="sae_id",
            )
        return found[0]


def _of_one(entries: Iterator[Entry], ours: str | None, first: str | None) -> Iterator[Entry]:
    """Entries, those of another SAE made to be refused."""
    expected = ours or first
    for entry in entries:
        if entry.source is not None and entry.source != expected:
            yield replace(entry, read=_refused(f"it is of {entry.source[:200]}, not {expected}"))
        else:
            yield entry


def _refused(reason: str) -> Any:
    def read() -> list[ReadLabel | ReadMarks]:
        raise Malformed(reason)

    return read


def _read(file: LabelFile, sae: LabelledSae) -> Read:
    found = Read()
    for row, entry in enumerate(file.entries):
        try:
            items = list(entry.read())
        except Malformed as error:
            found.skip(entry.place, str(error))
            continue
        for item in items:
            if item.feature_id >= sae.d_sae:
                last = sae.d_sae - 1
                found.skip(entry.place, f"no feature {item.feature_id}: there are 0 to {last}")
            elif isinstance(item, ReadLabel):
                found.labels.append((row, item))
            else:
                found.marks.append(item)
    return found


def _document(file: LabelFile) -> LabelDocument | None:
    """What the file says beside its labels; None for our own formats."""
    if file.format in ("csv", "json"):
        return None
    at = datetime.now(UTC)
    return LabelDocument(
        document_id=new_id(), format=file.format, layout=file.layout, created_at=at
    )


def _add(draft: Draft, read: Read, document_id: str | None) -> int:
    """Add what is not there; how many are."""
    there: Counter[Key] = Counter()
    for feature_id in read.features:
        there.update(map(_key_of, draft.labels(feature_id).values()))
    n_known, unlabelled = 0, {id for id in read.features if not draft.labels(id)}
    for row, label in read.labels:
        if there and _take(there, _key(label)):
            n_known += 1
        else:
            choose = label.is_chosen and label.feature_id in unlabelled
            draft.add(_record(draft, row, label, document_id), choose, "import")
    for mark in read.marks:
        if mark.is_starred:
            draft.star(mark.feature_id, True)
        if mark.skip_reason is not None:
            marks = {"skip_reason": mark.skip_reason, "skipped_by": mark.skipped_by or draft.author}
            draft.mark(mark.feature_id, "skip", marks)
    return n_known


def _record(draft: Draft, row: int, read: ReadLabel, document_id: str | None) -> LabelRecord:
    created_at = read.created_at or draft.at
    return LabelRecord(
        label_id=new_id(),
        feature_id=read.feature_id,
        text=read.label.text,
        category=read.label.category,
        notes=read.label.notes,
        confidence=read.label.confidence,
        source=read.label.source.value,
        source_name=read.label.source_name,
        author=read.author or draft.author,
        created_at=created_at,
        updated_at=read.updated_at or created_at,
        document_id=document_id,
        document_row=None if document_id is None else row,
        extra=read.extra,
    )


def _key(read: ReadLabel) -> Key:
    label = read.label
    said = (
        label.text,
        label.category,
        label.notes,
        label.confidence,
        label.source.value,
        label.source_name,
    )
    return (read.feature_id, *said, _spelt(read.extra))


def _key_of(label: LabelRecord) -> Key:
    return (label.feature_id, *(getattr(label, name) for name in _SAID), _spelt(label.extra))


def _spelt(extra: Any) -> str:
    return json.dumps(extra, sort_keys=True) if extra else ""


def _take(there: Counter[Key], key: Key) -> bool:
    """Whether it is there; once for each time that it is."""
    if there[key] <= 0:
        return False
    there[key] -= 1
    return True


def _stopped(read: Read) -> InvalidArgument:
    shown = "; ".join(f"{p.place}: {p.reason}" for p in read.problems[:5])
    more = f"; and {read.n_skipped - 5:,} more" if read.n_skipped > 5 else ""
    return InvalidArgument(
        f"nothing was imported: {shown}{more}",
        problems=[{"place": p.place, "reason": p.reason} for p in read.problems],
        n_skipped=read.n_skipped,
    )


def _report(
    file: LabelFile, sae: LabelledSae, read: Read, n_known: int, batch_id: str | None
) -> ImportReport:
    return ImportReport(
        format=file.format,
        sae_id=sae.sae_id,
        n_labels=len(read.labels),
        n_added=len(read.labels) - n_known,
        n_known=n_known,
        n_skipped=read.n_skipped,
        problems=tuple(read.problems),
        batch_id=batch_id,
    )
