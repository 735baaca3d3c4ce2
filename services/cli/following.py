"""A durable job on the terminal: worked on here, its progress shown, Ctrl-C cancels."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from services.cli.jobs import progress_text
from services.cli.text import printable
from services.errors import ActiscopeError, Internal, InvalidArgument
from services.types import JobStatus, JobView

if TYPE_CHECKING:
    from services.jobs.service import Jobs

_EVERY_S, _EVERY_WITHOUT_TERMINAL_S = 0.3, 10.0
_CANCEL_S = 60
_WIDTH = 100


def followed(jobs: Jobs, job: JobView, *, quiet: bool = False) -> JobView:
    """The job once it succeeded; this process works on it, unless another one has it.

    Raises:
        ActiscopeError: what made it fail, as it was said where it failed.
    """
    jobs.work_on(job.job_id)
    shown = _Shown(quiet)
    try:
        while not job.status.is_final:
            job = jobs.wait(job.job_id, _EVERY_S)
            shown.show(job)
    except KeyboardInterrupt:
        jobs.cancel(job.job_id)
        job = jobs.wait(job.job_id, _CANCEL_S)
    finally:
        shown.clear()
    check_job(job)
    return job


def check_job(job: JobView) -> None:
    """Raise what made the job fail."""
    if job.status is JobStatus.SUCCEEDED:
        return
    if job.status is JobStatus.FAILED:
        kinds = {kind.code: kind for kind in ActiscopeError.__subclasses__()}
        kind = kinds.get(job.error_code or "", Internal)
        raise kind(job.error_message or "the job failed", job_id=job.job_id)
    raise InvalidArgument(f"interrupted: job {job.job_id} is {job.status.value}")


class _Shown:
    """One line that is rewritten; without a terminal a line now and then."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._is_terminal = quiet, sys.stderr.isatty()
        self._phase, self._at = "", float("-inf")

    def show(self, job: JobView) -> None:
        """The job's state."""
        if self._quiet or job.status.is_final:
            return
        line = printable(progress_text(job) or job.status.value, newline=" ")
        if self._is_terminal:
            click.echo("\r" + line[:_WIDTH].ljust(_WIDTH), err=True, nl=False)
        elif job.phase != self._phase or time.monotonic() - self._at > _EVERY_WITHOUT_TERMINAL_S:
            self._phase, self._at = job.phase, time.monotonic()
            click.echo(line, err=True)

    def clear(self) -> None:
        """Nothing is under way any more."""
        if self._is_terminal and not self._quiet:
            click.echo("\r" + " " * _WIDTH + "\r", err=True, nl=False)
