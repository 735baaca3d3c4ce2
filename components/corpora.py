"""Corpora as they are listed and shown: names, facts, documents, lines that were skipped."""

from __future__ import annotations

from urllib.parse import quote, urlencode


def corpus_href(corpus_id: str, **more: str) -> str:
    """Where a corpus is shown."""
    return f"/corpora?{urlencode({'id': corpus_id, **more}, quote_via=quote)}"
