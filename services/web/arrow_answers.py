"""Arrow IPC streams as answers, and as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from flask import Response, request
from flask_openapi3.types import ResponseDict
from pyarrow import csv
from werkzeug.wsgi import wrap_file

from services.stores.arrow import MEDIA_TYPE, RecordStream
from services.web.state import state

_BLOCK = 2**18
_BINARY = {"schema": {"type": "string", "format": "binary"}}

ARROW: ResponseDict = {200: {"content": {MEDIA_TYPE: _BINARY}}}


def arrow_response(stream: RecordStream, name: str) -> Response:
    """The stream as a download that pyarrow, polars and duckdb read.

    Views are handed to the server as a file: it sends from the store's own pages as fast as the
    client takes them, and no thread waits. Anything else is made batch by batch.
    """
    response = _of_views(stream) if stream.are_views else _in_chunks(stream)
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.arrows")
    return response


def csv_response(stream: RecordStream, columns: Sequence[str], name: str) -> Response:
    """These columns as a download, made batch by batch; they must be numbers."""
    give_back = state().take_place()
    response = Response(_lines(stream, columns), mimetype="text/csv")
    response.call_on_close(give_back)
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.csv")
    return response


def _lines(stream: RecordStream, columns: Sequence[str]) -> Iterator[bytes]:
    for number, batch in enumerate(stream.batches):
        sink = pa.BufferOutputStream()
        options = csv.WriteOptions(include_header=number == 0)
        csv.write_csv(batch.select(list(columns)), sink, options)
        yield sink.getvalue().to_pybytes()


def _of_views(stream: RecordStream) -> Response:
    file = stream.file()
    wrapped = wrap_file(request.environ, file, _BLOCK)  # type: ignore[arg-type]
    response = Response(wrapped, mimetype=MEDIA_TYPE, direct_passthrough=True)
    response.content_length = file.size
    return response


def _in_chunks(stream: RecordStream) -> Response:
    give_back = state().take_place()
    response = Response(stream.chunks(), mimetype=MEDIA_TYPE)
    response.call_on_close(give_back)
    return response
