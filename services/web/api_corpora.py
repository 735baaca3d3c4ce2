"""REST: corpora, looked at, added, read and removed."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag

from services.corpus import documents
from services.corpus.requests import (
    AddCorpus,
    CorpusQuery,
    PackingQuery,
    PreviewQuery,
    SourceRequest,
)
from services.jobs.mapping import job_document
from services.web import corpus_schemas as schemas
from services.web.answers import ERRORS, no_body
from services.web.corpus_schemas import (
    CorpusPath,
    DeleteCorpusParameters,
    FileContent,
    UploadParameters,
)
from services.web.errors import json_response
from services.web.job_schemas import JobBody
from services.web.parameters import NoParameters
from services.web.state import state

api = APIBlueprint(
    "corpora",
    __name__,
    url_prefix="/api/v1/corpora",
    abp_tags=[Tag(name="corpora", description="the documents that features are extracted over")],
    abp_responses=ERRORS,
)


@api.get("", responses={200: schemas.CorporaBody})
def corpora(query: CorpusQuery) -> Response:
    """The corpora, newest first."""
    found = state().container.corpora.list(query)
    return json_response({"items": [documents.corpus_document(info) for info in found]})


@api.post("", responses={202: JobBody})
def add(query: NoParameters, body: AddCorpus) -> Response:
    """Make a corpus of a source; answers at once with the job that does it.

    The job's result names the corpus; the same content again gives the one that exists.
    """
    job = state().container.corpora.add(body)
    response = json_response(job_document(job), HTTPStatus.ACCEPTED)
    response.headers["Location"] = url_for("jobs.show", job_id=job.job_id)
    return response


@api.post("/look", responses={200: schemas.SourceBody})
def look(query: NoParameters, body: SourceRequest) -> Response:
    """The first rows of a source, to choose the column of the text; nothing is kept."""
    return json_response(documents.source_document(state().container.corpora.look(body)))


@api.post("/uploads", responses={201: schemas.UploadBody})
def upload(query: UploadParameters, raw: FileContent) -> Response:
    """Send a file as the body, as it is; it is kept for a day, to be looked at and added."""
    with state().place():
        upload_id = state().container.corpora.upload(
            raw.stream, query.file_name, raw.content_length
        )
    return json_response({"upload_id": upload_id}, HTTPStatus.CREATED)


@api.get("/<corpus_id>", responses={200: schemas.CorpusBody})
def show(path: CorpusPath, query: NoParameters) -> Response:
    """A corpus."""
    return json_response(documents.corpus_document(state().container.corpora.get(path.corpus_id)))


@api.get("/<corpus_id>/documents", responses={200: schemas.DocumentsBody})
def read(path: CorpusPath, query: PreviewQuery) -> Response:
    """Some documents of a corpus."""
    preview = state().container.corpora.preview(path.corpus_id, query)
    return json_response(documents.preview_document(preview))


@api.get("/<corpus_id>/statistics", responses={200: schemas.CorpusStatisticsBody})
def statistics(path: CorpusPath, query: NoParameters) -> Response:
    """Lengths and metadata of all documents, and what was skipped."""
    found = state().container.corpora.statistics(path.corpus_id)
    return json_response(documents.statistics_document(found))


@api.get("/<corpus_id>/tokens", responses={200: schemas.PackingBody})
def tokens(path: CorpusPath, query: PackingQuery) -> Response:
    """The first sequences that a model would read, and how many tokens the corpus has."""
    with state().place():
        preview = state().container.packing_preview(path.corpus_id, query)
    return json_response(documents.packing_document(preview))


@api.delete("/<corpus_id>", responses={204: None})
def delete(path: CorpusPath, query: DeleteCorpusParameters) -> Response:
    """Take a corpus out of use; with `hard=true` forget it and remove its files.

    Its files stay as long as extractions were made of it.
    """
    no_body()
    state().container.corpora.remove(path.corpus_id, query.hard)
    return Response(status=HTTPStatus.NO_CONTENT)


@api.post("/<corpus_id>/restore", responses={200: schemas.CorpusBody})
def restore(path: CorpusPath, query: NoParameters) -> Response:
    """Put a deleted corpus into use again."""
    no_body()
    info = state().container.corpora.restore(path.corpus_id)
    return json_response(documents.corpus_document(info))
