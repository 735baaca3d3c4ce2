"""What is to be known of a job beside its progress: what came of it, its log, its facts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import UNKNOWN, seconds_text
from components.corpora import corpus_href
from components.entries import listed
from components.feedback import copyable
from components.icons import icon
from components.jobs import job_href, seconds_between
from components.runs import time_element
from services.types import JobLogLine, JobStatus, JobView

_LEVELS = {"warning": ("warning", "warn"), "error": ("cross", "bad")}


def outcome(job: JobView) -> Any:
    """What came of the job, and where to look at it; nothing while there is nothing."""
    words = _sentence(job.kind, job.result or {})
    links = job_links(job)
    if not links and not words:
        return None
    text = dmc.Text(words, className="as-break") if words else None
    return html.Div([text, dmc.Group(links, gap="md")], className="as-outcome")


def job_links(job: JobView) -> list[Any]:
    """The pages of what the job works on or has made."""
    links = []
    if job.kind == "extract":
        links.append(_button("Open its extractions", listed("/extractions", job=job.job_id)))
    corpus_id = _text(job.result, "corpus_id")
    if job.kind == "add_corpus" and corpus_id:
        links.append(_button("Open the corpus", corpus_href(corpus_id)))
        links.append(dcc.Link("Extract features over it", href=_extract_href(corpus_id)))
    over = _text(job.params, "corpus_id")
    if over:
        links.append(dcc.Link(f"Corpus {over}", href=corpus_href(over)))
    if job.parent_id:
        links.append(dcc.Link("Part of another job", href=job_href(job.parent_id)))
    return links


def _extract_href(corpus_id: str) -> str:
    return listed("/extractions/new", corpus=corpus_id)


def _button(label: str, href: str) -> dcc.Link:
    return dcc.Link(label, href=href, className="as-button")


def _text(values: Mapping[str, Any] | None, name: str) -> str | None:
    value = (values or {}).get(name)
    return value if isinstance(value, str) and value else None


def _sentence(kind: str, result: Mapping[str, Any]) -> str | None:
    """What a finished import has made, in words."""
    documents, skipped = result.get("n_documents"), result.get("n_skipped")
    if kind != "add_corpus" or not isinstance(documents, int):
        return None
    if result.get("existed"):
        return f"The same {documents:,} documents were here already: this is their corpus."
    left_out = f", {_counted(skipped, 'line')} skipped" if isinstance(skipped, int) else ""
    return f"{_counted(documents, 'document')}{left_out}."


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


def log_lines(lines: Sequence[JobLogLine]) -> html.Ol:
    """The log, oldest line first."""
    return html.Ol([html.Li(_log_line(line), key=str(line.line)) for line in lines])


def _log_line(line: JobLogLine) -> list[Any]:
    at = line.at.astimezone(UTC)
    time = html.Time(f"{at:%H:%M:%S}", dateTime=at.isoformat(), title=f"{at:%Y-%m-%d %H:%M:%S} UTC")
    picture, tone = _LEVELS.get(line.level, ("", ""))
    level = [icon(picture, 13), dmc.VisuallyHidden(line.level)] if picture else []
    words = html.Span([*level, line.message], className=f"as-break as-{tone}".rstrip("-"))
    return [time, words]


def job_facts(job: JobView) -> html.Dl:
    """All that is known about a job, as a list of terms."""
    took = seconds_between(job)
    again = f", {job.crashes:,} of {job.max_attempts:,} crashes" if job.crashes else ""
    facts = [
        ("Created", time_element(job.created_at)),
        ("Started", time_element(job.started_at) if job.started_at else UNKNOWN),
        ("Finished", time_element(job.finished_at) if job.finished_at else UNKNOWN),
        ("Took", UNKNOWN if took is None else seconds_text(took)),
        ("Attempts", f"{job.attempt:,}{again}"),
        ("Kept so far", _kept(job)),
        ("Priority", str(job.priority)),
        ("Request key", job.request_key or UNKNOWN),
        ("Job", copyable(job.job_id, label="job id")),
    ]
    return html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in facts], className="as-facts"
    )


def _kept(job: JobView) -> str:
    if job.status is JobStatus.SUCCEEDED:
        return "all of it"
    return "what a resume goes on from" if job.is_resumable else "nothing yet"


def as_json(values: Mapping[str, Any]) -> str:
    """Parameters or a result, to be read and copied."""
    return json.dumps(values, indent=2, ensure_ascii=False, default=str)
