"""Durable jobs as the user follows them: phases, amount, rate, time left, what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import dash_mantine_components as dmc
from dash import html

from components.amounts import pace_text, seconds_text, units_text
from components.feedback import error_alert
from components.icons import icon
from services.types import ExtractionView, JobPhase, JobStatus, JobView

# what a status is called, its icon, its tone (a class of base.css)
_STATUS = {
    JobStatus.QUEUED: ("Waiting", "clock", "quiet"),
    JobStatus.RUNNING: ("Running", "play", "active"),
    JobStatus.SUCCEEDED: ("Done", "check", "good"),
    JobStatus.FAILED: ("Failed", "cross", "bad"),
    JobStatus.CANCELLED: ("Cancelled", "stop", "quiet"),
}
KINDS = {
    "extract": "Extraction",
    "add_corpus": "New corpus",
    "import_store": "Import of a store",
    "export_store": "Export of a store",
    "verify_store": "Check of a store",
}
"""What each kind is called; `kind_name` has a name for any."""

_LINE_CHARS = 160  # of an error in a list

STATUS_NAMES = {status: word for status, (word, _, _) in _STATUS.items()}
"""What each status is called."""


def job_href(job_id: str) -> str:
    """Where a job is shown."""
    return f"/jobs?{urlencode({'id': job_id}, quote_via=quote)}"


def kind_name(kind: str) -> str:
    """What a kind of job is called."""
    return KINDS.get(kind) or kind.replace("_", " ").capitalize()


def job_badge(job: JobView) -> html.Span:
    """The status by word and icon; colour only repeats it."""
    if job.is_cancelling:
        return html.Span([icon("stop", 14), "Stopping"], className="as-status as-active")
    return status_badge(job.status)


def status_badge(status: JobStatus) -> html.Span:
    """The status by word and icon; colour only repeats it."""
    word, picture, tone = _STATUS[status]
    return html.Span([icon(picture, 14), word], className=f"as-status as-{tone}")


def job_progress(job: JobView) -> html.Div:
    """Where the job stands, phase by phase; what went wrong once it failed.

    Complete by itself: a page adds title and buttons.
    """
    parts = [_line(job), _bar(job), phase_list(job), _message(job), _error(job)]
    return html.Div([part for part in parts if part is not None], className="as-progress")


def job_line(job: JobView) -> html.Span:
    """How far the job is, in the few words that a row of a list has room for."""
    if job.error_message:
        return html.Span(_shortened(job.error_message), className="as-small as-break")
    facts = [amount_text(job), rate_text(job), left_text(job)]
    if job.status is JobStatus.SUCCEEDED:
        facts = [_done_of(job.done, job.total, job.unit)]
    words = [word for word in (_phase(job), *facts) if word]
    return html.Span(" · ".join(words), className="as-muted as-small as-break")


def _shortened(text: str) -> str:
    return text if len(text) <= _LINE_CHARS else text[: _LINE_CHARS - 1] + "…"


def amount_text(job: JobView | ExtractionView) -> str:
    """How much of the phase is done; nothing where it does not count or is over."""
    if job.status in (JobStatus.SUCCEEDED, JobStatus.QUEUED):
        return ""
    return _done_of(job.done, job.total, job.unit)


def rate_text(job: JobView | ExtractionView) -> str:
    """How fast it goes; nothing where that is unknown."""
    return pace_text(job.per_s, job.unit) if job.per_s else ""


def left_text(job: JobView | ExtractionView) -> str:
    """How long the phase still takes at this rate; nothing where that is unknown."""
    return f"{seconds_text(job.eta_s)} left" if job.eta_s else ""


def phase_list(job: JobView) -> html.Ol | None:
    """The phases that have begun, with what each did and took; nothing before the first."""
    if not job.phases:
        return None
    over = len(job.phases) - (job.status is not JobStatus.SUCCEEDED)
    items = [_phase_item(phase, job, i < over) for i, phase in enumerate(job.phases)]
    return html.Ol(items, className="as-phases", **{"aria-label": "Phases"})


def seconds_between(job: JobView) -> float | None:
    """How long the job took from its first start to its end; None while either is missing."""
    if job.started_at is None or job.finished_at is None:
        return None
    return (job.finished_at - job.started_at).total_seconds()


def _line(job: JobView) -> html.Div:
    texts = (amount_text(job), rate_text(job), left_text(job))
    amounts = [html.Span(text, className="as-num as-muted") for text in texts if text]
    phase = html.Span(_phase(job), className="as-phase", role="status")
    return html.Div([job_badge(job), phase, *amounts], className="as-progress-line")


def _phase(job: JobView) -> str:
    """What happens now, or what it waits for."""
    if job.is_cancelling:
        return "Stops after this batch; what is done is kept"
    if job.status is JobStatus.QUEUED:
        return "Goes on from what is kept" if job.is_resumable else "Waits for its turn"
    return job.phase.capitalize() if job.status is not JobStatus.SUCCEEDED else ""


def _bar(job: JobView) -> dmc.Progress | None:
    if job.status in (JobStatus.QUEUED, JobStatus.SUCCEEDED):
        return None
    if job.status.is_final and not job.total:
        return None
    known = bool(job.total)
    share = 100 * min(1.0, job.done / job.total) if job.total else 100
    moves = not known and not job.status.is_final
    return dmc.Progress(
        value=share, size="sm", animated=moves, striped=moves, transitionDuration=200,
        color="gray" if job.status.is_final else "accent",
        **{"aria-label": f"{job.title}: {job.phase}"},
    )  # fmt: skip


def _phase_item(phase: JobPhase, job: JobView, over: bool) -> html.Li:
    mark = ("check", "good") if over else _STATUS[job.status][1:]
    facts = [_done_of(phase.done, phase.total, phase.unit), _took(phase.seconds)]
    return html.Li(
        [
            html.Span(icon(mark[0], 14), className=f"as-{mark[1]}"),
            html.Span(phase.name.capitalize(), className="as-phase-name"),
            html.Span(" · ".join(fact for fact in facts if fact), className="as-num as-muted"),
        ]
    )


def _done_of(done: int, total: int | None, unit: str) -> str:
    if not done and total is None:
        return ""
    if total is None or done == total:
        return units_text(done, unit)
    so_far = units_text(done, unit) if unit == "bytes" else f"{done:,}"
    return f"{so_far} of {units_text(total, unit)}"


def _took(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds > 0 else ""
    return seconds_text(seconds)


def _message(job: JobView) -> html.P | None:
    if not job.message or job.status.is_final:
        return None
    return html.P(job.message, className="as-muted as-small as-break as-message")


def _error(job: JobView) -> Any:
    if job.error_message is None:
        return None
    return error_alert(job.error_code or "INTERNAL", job.error_message, action=_what_to_do(job))


def _what_to_do(job: JobView) -> html.Span | None:
    if job.status is not JobStatus.FAILED:
        return None
    kept = "goes on from what is kept" if job.is_resumable else "begins again"
    return html.Span(f"A retry {kept}.", className="as-small")


def active(jobs: Sequence[JobView]) -> bool:
    """Whether any of them may still change by itself."""
    return any(not job.status.is_final for job in jobs)
