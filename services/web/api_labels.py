"""REST: labels of features, their history, files of them, and what to label next."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from flask_openapi3.types import ResponseDict

from services.labels import documents
from services.labels.formats.detecting import read_file
from services.labels.requests import (
    AddLabel,
    BulkChange,
    BulkEdit,
    EditLabel,
    HistoryParameters,
    HistoryQuery,
    LabelEdit,
    NewLabel,
    QueueParameters,
    QueueQuery,
)
from services.labels.service import Labels
from services.types.labels import Label
from services.web import label_schemas as schemas
from services.web.answers import ERRORS, no_body
from services.web.errors import json_response
from services.web.parameters import NoParameters, SaePath
from services.web.state import state

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES: ResponseDict = {200: {"content": {"text/csv": _BINARY, "application/json": _BINARY}}}
_LABELS = "/saes/<path:sae_id>/labels"
_FEATURE = "/saes/<path:sae_id>/features/<int:index>"
_LABEL = "/labels/<label_id>"

api = APIBlueprint(
    "labels",
    __name__,
    url_prefix="/api/v1",
    abp_tags=[Tag(name="labels", description="what people and models say of features")],
    abp_responses=ERRORS,
)


@api.get(_LABELS, responses={200: schemas.LabelsBody})
def labels(path: SaePath, query: schemas.LabelsParameters) -> Response:
    """The features that something is said of, with their chosen labels, by number."""
    snapshot = _labels().snapshot(path.sae_id)
    ids = sorted(snapshot.marks)
    start = 0 if query.after is None else bisect_right(ids, query.after)
    shown = ids[start : start + query.limit]
    return json_response(
        {
            "items": [documents.marks_document(snapshot.marks[id]) for id in shown],
            "total": len(ids),
            "revision": snapshot.revision,
            "next_after": shown[-1] if start + len(shown) < len(ids) else None,
        }
    )


@api.get(f"{_LABELS}/status", responses={200: schemas.LabelStatusBody})
def status(path: SaePath, query: schemas.StatusParameters) -> Response:
    """How far the labelling is."""
    return json_response(asdict(_labels().status(path.sae_id, query.store_id)))


@api.get(f"{_LABELS}/next", responses={200: schemas.QueueBody})
def next_feature(path: SaePath, query: QueueParameters) -> Response:
    """The feature to label next, in the chosen order."""
    found = _labels().next(QueueQuery.parse(_given(path, query)))
    return json_response(documents.queue_document(found))


@api.get(f"{_LABELS}/history", responses={200: schemas.HistoryBody})
def history(path: SaePath, query: HistoryParameters) -> Response:
    """What was done, by whom and when; newest first."""
    page = _labels().history(HistoryQuery.parse(_given(path, query)))
    return json_response(documents.history_document(page))


@api.get(f"{_LABELS}/export", responses=_FILES)
def export(path: SaePath, query: schemas.LabelExportParameters) -> Response:
    """All labels as a file; what was imported comes out as it went in, with later changes."""
    file = _labels().export(path.sae_id, query.format)
    response = Response(file.content, content_type=file.media_type)
    response.headers.set("Content-Disposition", "attachment", filename=file.filename)
    return response


@api.post(f"{_LABELS}/import", responses={200: schemas.ImportReportBody})
def import_labels(path: SaePath, query: NoParameters, body: schemas.ImportBody) -> Response:
    """Add the labels of a file, all or (`mode=skip`) those that can be used.

    Its format is found out from its content: CSV, JSON of this product, Neuronpedia's
    explanations (JSON or lines, also gzipped), SplatNLP's labels, texts by feature.
    """
    content = _content(body)
    with state().place():
        if body.dry_run:
            report = _labels().look(content, path.sae_id)
        else:
            report = _labels().import_(content, path.sae_id, body.author, body.mode)
    return json_response(asdict(report))


@api.post(f"{_LABELS}/bulk", responses={200: schemas.BulkReportBody})
def bulk(path: SaePath, query: NoParameters, body: BulkChange) -> Response:
    """Do the same to many features; it is undone as one."""
    return json_response(asdict(_labels().bulk(BulkEdit.parse(_given(path, body)))))


@api.post(f"{_LABELS}/undo", responses={200: schemas.BulkReportBody})
def undo(path: SaePath, query: NoParameters, body: schemas.UndoBody) -> Response:
    """Take back a change or a batch; 409 when something was changed since."""
    found = _labels().undo(
        body.batch_id, change_id=body.change_id, author=body.author, sae_id=path.sae_id
    )
    return json_response(asdict(found))


@api.get(f"{_FEATURE}/labels", responses={200: schemas.FeatureLabelsBody})
def feature(path: schemas.LabelledFeaturePath, query: NoParameters) -> Response:
    """All labels of a feature, the chosen one first, and the newest of its history."""
    return json_response(documents.feature_document(_feature(path)))


@api.post(f"{_FEATURE}/labels", responses={201: schemas.LabelBody})
def add(path: schemas.LabelledFeaturePath, query: NoParameters, body: NewLabel) -> Response:
    """One more label; the first one of a feature is chosen by itself."""
    given = body.model_dump(exclude_unset=True)
    made = _labels().add(AddLabel.parse(given | {"sae_id": path.sae_id, "feature_id": path.index}))
    return _answered(made, HTTPStatus.CREATED)


@api.put(f"{_FEATURE}/marks", responses={200: schemas.FeatureLabelsBody})
def mark(
    path: schemas.LabelledFeaturePath, query: NoParameters, body: schemas.MarksBody
) -> Response:
    """Star a feature, or leave it out of the queue."""
    change: dict[str, Any] = {"star": body.star} if body.star is not None else {}
    if "skip" in body.model_fields_set:
        change |= {"skip": body.skip} if body.skip is not None else {"unskip": True}
    named = {"sae_id": path.sae_id, "feature_ids": [path.index], "author": body.author}
    _feature(path)
    _labels().bulk(BulkEdit.parse(named | change))
    return json_response(documents.feature_document(_feature(path)))


@api.get(_LABEL, responses={200: schemas.LabelBody})
def show(path: schemas.LabelPath, query: NoParameters) -> Response:
    """One label."""
    return _answered(_labels().label(path.label_id))


@api.patch(_LABEL, responses={200: schemas.LabelBody})
def edit(path: schemas.LabelPath, query: NoParameters, body: LabelEdit) -> Response:
    """Change a label; 409 when it was changed after `if_updated_at`."""
    given = body.model_dump(exclude_unset=True)
    return _answered(_labels().edit(EditLabel.parse(given | {"label_id": path.label_id})))


@api.delete(_LABEL, responses={204: None})
def remove(path: schemas.LabelPath, query: schemas.AuthorParameters) -> Response:
    """Take a label away; the next one of its feature is chosen if it was."""
    no_body()
    _labels().remove(path.label_id, query.author)
    return Response(status=HTTPStatus.NO_CONTENT)


@api.post(f"{_LABEL}/choose", responses={200: schemas.LabelBody})
def choose(path: schemas.LabelPath, query: schemas.AuthorParameters) -> Response:
    """Show this label of its feature."""
    no_body()
    return _answered(_labels().choose(path.label_id, query.author))


def _labels() -> Labels:
    return state().container.labels


def _feature(path: schemas.LabelledFeaturePath) -> Any:
    return _labels().feature(path.sae_id, path.index)


def _given(path: SaePath, query: Any) -> dict[str, Any]:
    return query.model_dump(exclude_unset=True) | {"sae_id": path.sae_id}


def _answered(label: Label, status: int = HTTPStatus.OK) -> Response:
    return json_response(documents.label_document(label), status)


def _content(body: schemas.ImportBody) -> bytes:
    if body.content is not None:
        return body.content.encode("utf-8", "surrogatepass")
    return read_file(state().container.corpora.uploaded(body.upload_id or ""))
