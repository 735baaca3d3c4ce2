"""Runs as the user meets them: status, facts, the short list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.entries import sae_href
from components.feedback import copyable, empty_state
from components.icons import icon
from services.types import LiveRun, RunStatus, RunSummary, RunView

# what a status is called, its icon, its tone (a class of components.css)
_STATUS: dict[RunStatus, tuple[str, str, str]] = {
    RunStatus.QUEUED: ("Queued", "clock", "quiet"),
    RunStatus.RUNNING: ("Running", "play", "active"),
    RunStatus.OK: ("Done", "check", "good"),
    RunStatus.PARTIAL: ("Partial", "half", "warn"),
    RunStatus.ERROR: ("Failed", "cross", "bad"),
    RunStatus.CANCELLED: ("Cancelled", "stop", "quiet"),
    RunStatus.INTERRUPTED: ("Interrupted", "warning", "warn"),
}


_ENDED = {
    "stop": "at an end token",
    "length": "at the token limit",
    "context": "at the end of the context",
    "cancelled": "stopped by the user",
}


def status_badge(status: RunStatus) -> html.Span:
    """The status by word and icon; colour only repeats it."""
    word, picture, tone = _STATUS[status]
    return html.Span([icon(picture, 14), word], className=f"as-status as-{tone}")


def run_href(request_id: str) -> str:
    """Where a run is shown."""
    return f"/runs/{request_id}"


def run_facts(view: RunView) -> html.Dl:
    """What the run was made with and what came out, as a list of terms."""
    summary, request = view.summary, view.request
    sampling = (
        "greedy"
        if not request.get("temperature")
        else f"temperature {request['temperature']:g}, top-p {request.get('top_p', 1):g}"
        + (f", top-k {request['top_k']}" if request.get("top_k") else "")
    )
    seed = view.provenance.get("seed", request.get("seed"))
    facts = [
        ("Status", status_badge(summary.status)),
        ("Model", summary.model_id),
        ("SAEs", _sae_links(summary.sae_ids)),
        ("Tokens", f"{summary.prompt_tokens:,} read, {summary.output_tokens:,} written"),
        ("Features", f"{summary.unique_features_count:,} different"),
        ("Sampling", sampling),
        ("Seed", "–" if seed is None else str(seed)),
        ("Ended", _ENDED.get(summary.finish_reason or "", "–")),
        ("Took", duration_text(summary.duration_ms)),
        ("Created", time_element(summary.created_at)),
        ("Run", copyable(summary.request_id, label="run id")),
    ]
    return html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in facts], className="as-facts"
    )


def _sae_links(sae_ids: Sequence[str]) -> Any:
    links = [html.Li(dcc.Link(sae_id, href=sae_href(sae_id))) for sae_id in sae_ids]
    return html.Ul(links, className="as-name-list") if links else "none"


def live_progress(live: LiveRun) -> html.Div:
    """Phase, tokens written of those allowed, and rate of a run under way."""
    written = len(live.output_tokens)
    share = 100 * written / live.max_tokens if live.max_tokens else 0
    phase = live.phase
    if live.queue_position:
        phase = f"waiting, {live.queue_position} in front"
    rate = f"{live.tokens_per_s:.1f} tokens/s" if live.tokens_per_s else ""
    return html.Div(
        [
            html.Div(
                [
                    status_badge(live.status),
                    html.Span(phase.capitalize(), className="as-phase"),
                    html.Span(f"{written:,} / {live.max_tokens:,} tokens", className="as-num"),
                    html.Span(rate, className="as-num as-muted"),
                ],
                className="as-progress-line",
            ),
            dmc.Progress(
                value=100 if live.status.is_final else share,
                size="xs",
                striped=False,
                **{"aria-label": "Tokens written of those allowed"},
            ),
        ],
        className="as-progress",
    )


def recent_runs_list(items: Sequence[RunSummary]) -> html.Div:
    """A short list of runs, newest first, each a link; an empty state without any."""
    if not items:
        return empty_state("No runs yet", "What you run appears here and stays.", icon_name="runs")
    return html.Div(html.Ul([_recent(item) for item in items], className="as-recent"))


def _recent(item: RunSummary) -> html.Li:
    facts = [time_element(item.created_at), f"{item.prompt_tokens + item.output_tokens:,} tokens"]
    return html.Li(
        dcc.Link(
            [
                html.Span(item.prompt_preview or "(empty prompt)", className="as-recent-prompt"),
                html.Span(
                    [status_badge(item.status), *(html.Span(fact) for fact in facts)],
                    className="as-recent-facts",
                ),
            ],
            href=run_href(item.request_id),
        )
    )


def time_element(when: datetime) -> html.Time:
    """A moment in UTC to the minute, with the full moment for machines and on hover."""
    utc = when.astimezone(UTC)
    full = utc.isoformat(timespec="seconds").replace("+00:00", "Z")
    return html.Time(f"{utc:%Y-%m-%d %H:%M}", dateTime=full, title=full, className="as-num")


def duration_text(duration_ms: int | None) -> str:
    """A duration with two to three significant figures; an en dash when unknown."""
    if duration_ms is None:
        return "–"
    seconds = duration_ms / 1000
    if seconds < 1:
        return f"{duration_ms} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
