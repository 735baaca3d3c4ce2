"""`actiscope jobs`: the durable jobs of this database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from services.cli.text import printable, table
from services.jobs.mapping import job_document, line_document
from services.jobs.requests import JobQuery
from services.settings import read_settings
from services.types import ExtractionView, JobLogLine, JobStatus, JobView
from services.types.jobs import unit_word

if TYPE_CHECKING:
    from services.jobs.service import Jobs

_as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")


@click.group()
def jobs() -> None:
    """Jobs: list, show, cancel, retry."""


@jobs.command(name="list")
@click.option("--limit", type=int, default=20, show_default=True, help="how many, 1 to 200")
@click.option("--cursor", help="`next_cursor` of the page before")
@click.option("--status", type=click.Choice([s.value for s in JobStatus]))
@click.option("--kind", help="jobs of this kind")
@click.option("--parent-id", help="parts of this job")
@_as_json
def list_jobs(as_json: bool, **filters: Any) -> None:
    """List the jobs, newest first."""
    query = JobQuery.parse({k: v for k, v in filters.items() if v is not None})
    with _opened() as service:
        page = service.list(query)
    if as_json:
        items = [job_document(job) for job in page.items]
        _print_json({"items": items, "next_cursor": page.next_cursor})
        return
    head = ("CREATED", "JOB", "KIND", "STATUS", "PROGRESS", "TITLE")
    click.echo(table(head, [_line(job) for job in page.items]))
    if page.next_cursor:
        click.echo(f"\nmore: --cursor '{page.next_cursor}'", err=True)


@jobs.command()
@click.argument("job_id")
@_as_json
def show(job_id: str, as_json: bool) -> None:
    """Show a job with the last lines of its log."""
    with _opened() as service:
        job, log = service.get(job_id), service.log(job_id)
    if as_json:
        _print_json(job_document(job) | {"log": [line_document(line) for line in log]})
        return
    _print_job(job)
    click.echo()
    for line in log:
        click.echo(_log_line(line))


@jobs.command()
@click.argument("job_id")
@_as_json
def cancel(job_id: str, as_json: bool) -> None:
    """Stop a job within a batch; what it did is kept."""
    with _opened() as service:
        _print_changed(service.cancel(job_id), as_json)


@jobs.command()
@click.argument("job_id")
@_as_json
def retry(job_id: str, as_json: bool) -> None:
    """Queue a failed or cancelled job again: the server goes on from what is kept."""
    with _opened() as service:
        _print_changed(service.retry(job_id), as_json)


@contextmanager
def _opened() -> Iterator[Jobs]:
    """The jobs of a container of this command, which works on none of them."""
    from services.container import Container

    container = Container(read_settings())
    try:
        yield container.jobs
    finally:
        container.close()


def _print_changed(job: JobView, as_json: bool) -> None:
    if as_json:
        _print_json(job_document(job))
    else:
        click.echo(f"{job.job_id} {_status(job)}")


def _line(job: JobView) -> tuple[object, ...]:
    created = f"{job.created_at.astimezone():%Y-%m-%d %H:%M:%S}"
    return (created, job.job_id, job.kind, _status(job), progress_text(job), job.title[:60])


def _status(job: JobView) -> str:
    return "cancelling" if job.is_cancelling else job.status.value


def progress_text(job: JobView | ExtractionView) -> str:
    """Phase, how much of it is done, how fast, and how long it takes from here."""
    text = job.phase
    if job.unit or job.total is not None:
        text += f"  {job.done:,}" + (f" of {job.total:,}" if job.total is not None else "")
        n = job.done if job.total is None else job.total
        text += f" {unit_word(n, job.unit)}" if job.unit else ""
    text += f"  {job.per_s:,.1f}/s" if job.per_s is not None else ""
    return text + (f"  {job.eta_s:,.0f} s to go" if job.eta_s is not None else "")


def _print_job(job: JobView) -> None:
    rows = [
        ("job", job.job_id),
        ("kind", job.kind),
        ("title", job.title),
        ("status", _status(job)),
        ("reason", job.error_message and f"{job.error_code}: {job.error_message}"),
        ("progress", progress_text(job)),
        ("message", job.message),
        ("attempts", f"{job.attempt}, crashed {job.crashes} of at most {job.max_attempts}"),
        ("priority", job.priority),
        ("part of", job.parent_id),
        ("worker", job.owner),
        ("created", job.created_at.isoformat()),
        ("started", job.started_at and job.started_at.isoformat()),
        ("finished", job.finished_at and job.finished_at.isoformat()),
        ("parameters", json.dumps(job.params, ensure_ascii=False)),
        ("result", job.result and json.dumps(job.result, ensure_ascii=False)),
    ]
    for name, value in rows:
        if value not in (None, ""):
            click.echo(f"{name:<12}{printable(str(value), newline=' ')}")


def _log_line(line: JobLogLine) -> str:
    at = f"{line.at.astimezone():%Y-%m-%d %H:%M:%S}"
    return f"{at}  {line.level:<7}  {printable(line.message, newline=' ')}"


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
