"""Corpora as they are listed and shown: one line, all facts, documents, what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from dash import dcc, html

from components.amounts import bytes_text, count_text, number_text, share_text, short_count
from components.feedback import copyable
from components.icons import icon
from components.runs import time_element
from components.tables import Column, table
from services.types import (
    CorpusDocument,
    CorpusInfo,
    CorpusSource,
    CorpusStatistics,
    SkippedLine,
)

SOURCES = {
    CorpusSource.DEMO: "Shipped with Actiscope",
    CorpusSource.UPLOAD: "Upload",
    CorpusSource.FOLDER: "File or folder",
    CorpusSource.HUGGINGFACE: "Hugging Face",
}
"""What each source is called."""

_COLUMNS = (
    Column("Corpus"),
    Column("Source"),
    Column("Documents", number=True),
    Column("Characters", number=True),
    Column("Size", number=True),
    Column("Skipped", number=True),
    Column("Since"),
    Column("Actions"),
)
_SHORT_ORIGIN = 60
_FIRST_VALUES = 8  # of a column, before one asks for more


def corpus_href(corpus_id: str, **more: str) -> str:
    """Where a corpus is shown."""
    return f"/corpora?{urlencode({'id': corpus_id, **more}, quote_via=quote)}"


def corpus_table(rows: Sequence[tuple[CorpusInfo, Any]]) -> html.Div:
    """One row per corpus with what can be done with it; on a narrow screen one card."""
    return table("Corpora", _COLUMNS, [_row(info, actions) for info, actions in rows], fold=True)


def _row(info: CorpusInfo, actions: Any) -> list[Any]:
    return [
        _name(info),
        html.Span([SOURCES[info.source], _small(_shortened(info.origin))], className="as-break"),
        count_text(info.n_documents),
        short_count(info.n_chars),
        bytes_text(info.size_bytes),
        count_text(info.n_skipped),
        time_element(info.created_at),
        actions,
    ]


def _name(info: CorpusInfo) -> html.Span:
    link = dcc.Link(info.name, href=corpus_href(info.corpus_id), className="as-break")
    same = None if info.name == info.corpus_id else _small(info.corpus_id)
    return html.Span([link, same, corpus_state(info), corpus_problem(info)])


def corpus_state(info: CorpusInfo) -> html.Span | None:
    """That it is deleted or cannot be read; nothing where all is well."""
    if info.deleted_at is not None:
        return html.Span([icon("trash", 14), "Deleted"], className="as-status as-quiet")
    if info.problem is not None:
        return html.Span([icon("warning", 14), "Unusable"], className="as-status as-bad")
    return None


def corpus_problem(info: CorpusInfo) -> html.P | None:
    """Why it cannot be read; nothing where it can."""
    if info.problem is None:
        return None
    return html.P([icon("warning", 14), html.Span(info.problem)], className="as-problem as-bad")


def corpus_facts(info: CorpusInfo) -> html.Dl:
    """All that is known about a corpus, as a list of terms."""
    facts = [
        ("Source", SOURCES[info.source]),
        ("Origin", info.origin or "–"),
        ("Documents", count_text(info.n_documents)),
        ("Characters", count_text(info.n_chars)),
        ("Size on disk", bytes_text(info.size_bytes)),
        ("Lines skipped", count_text(info.n_skipped)),
        ("Text from", info.text_column or "–"),
        ("Metadata", _columns(info.metadata)),
        ("Since", time_element(info.created_at)),
        ("Id", copyable(info.corpus_id, label="id of the corpus")),
        ("Content", copyable(info.content_hash[:16], label="hash of the content")),
    ]
    return html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in facts], className="as-facts"
    )


def _columns(metadata: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in metadata.items()) or "none"


def statistics_numbers(stats: CorpusStatistics) -> html.Dl:
    """The lengths of documents in five numbers, and how many are empty."""
    numbers = [
        ("Shortest", count_text(stats.shortest)),
        ("Median", number_text(stats.median)),
        ("Mean", number_text(stats.mean)),
        ("Longest", count_text(stats.longest)),
        ("Empty documents", count_text(stats.n_empty)),
    ]
    terms = [html.Div([html.Dt(term), html.Dd(value)]) for term, value in numbers]
    return html.Dl(terms, className="as-numbers")


def frequent_values(
    column: str, values: Sequence[tuple[str, int]], n_documents: int
) -> html.Div | html.P:
    """The most frequent values of a column of the metadata, with their share of documents."""
    if not values:
        return html.P("Too many different values to be counted.", className="as-muted")
    if len(values) > 1 and values[0][1] == 1:
        return html.P("Every document has a value of its own.", className="as-muted")
    label = f"Most frequent values of {column}"
    first, rest = values[:_FIRST_VALUES], values[_FIRST_VALUES:]
    more = None
    if rest:
        name = f"Further values of {column}"
        tail = _value_table(name, rest, n_documents)
        more = html.Details([html.Summary(f"{len(rest):,} more"), tail], className="as-details")
    return html.Div([_value_table(label, first, n_documents), more])


def _value_table(label: str, values: Sequence[tuple[str, int]], n_documents: int) -> html.Div:
    columns = (Column("Value"), Column("Documents", number=True), Column("Share", number=True))
    rows = [
        [html.Span(value or "(empty)", className="as-break"), f"{n:,}", _share(n, n_documents)]
        for value, n in values
    ]
    return table(label, columns, rows)


def _share(n: int, of: int) -> str:
    return share_text(n / of) if of else "–"


def skipped_table(skipped: Sequence[SkippedLine]) -> html.Div:
    """What could not be read: file, line, reason."""
    columns = (Column("File"), Column("Line", number=True), Column("Reason"))
    rows = [
        [
            html.Span(one.file, className="as-break"),
            count_text(one.line),
            html.Span(one.reason, className="as-break"),
        ]
        for one in skipped
    ]
    return table("Lines that were skipped", columns, rows)


def document_list(documents: Sequence[CorpusDocument], cut_after: int) -> html.Ol:
    """Documents with their names, metadata and text; of long ones the beginning."""
    items = [html.Li(_document(one, cut_after)) for one in documents]
    return html.Ol(items, className="as-documents", **{"aria-label": "Documents"})


def _document(one: CorpusDocument, cut_after: int) -> list[Any]:
    title = html.H3(
        [f"Document {one.number + 1:,}", _small(one.name)], className="as-document-name"
    )
    is_cut = len(one.text) >= cut_after
    text = html.Pre(
        one.text + ("…" if is_cut else ""),
        className="as-document-text",
        tabIndex=0,
        role="region",
        **{"aria-label": f"Text of document {one.number + 1:,}"},
    )
    empty = html.P("This document is empty.", className="as-muted")
    cut = f"The first {cut_after:,} characters." if is_cut else None
    return [
        title,
        metadata_line(one.metadata),
        text if one.text else empty,
        html.P(cut, className="as-muted as-small as-message") if cut else None,
    ]


def metadata_line(values: Mapping[str, Any]) -> html.Dl | None:
    """The metadata of one document on a line or two; nothing without any."""
    if not values:
        return None
    pairs = [
        html.Div([html.Dt(name), html.Dd(value_text(value))]) for name, value in values.items()
    ]
    return html.Dl(pairs, className="as-check-details")


def value_text(value: Any) -> str:
    """A value of the metadata; a number with no more digits than are read."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _small(text: str) -> html.Span:
    return html.Span(text, className="as-muted as-small as-block as-break")


def _shortened(text: str) -> str:
    return text if len(text) <= _SHORT_ORIGIN else text[: _SHORT_ORIGIN - 1] + "…"
