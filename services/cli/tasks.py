"""A task on the terminal: progress on standard error, Ctrl-C cancels, the outcome comes back."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from services.cli.text import printable
from services.errors import ActiscopeError, Internal, InvalidArgument
from services.settings import read_settings
from services.types import TaskStatus, TaskView

if TYPE_CHECKING:
    from services.registry.service import Registry

_EVERY_S = 0.2
_EVERY_WITHOUT_TERMINAL_S = 10.0
_WIDTH = 78


@contextmanager
def opened_registry() -> Iterator[Registry]:
    """The registry of a container of this command; it may read any folder."""
    from services.container import Container

    container = Container(read_settings(), any_folder=True)
    try:
        yield container.registry
    finally:
        container.close()


def finished(registry: Registry, task: TaskView, *, quiet: bool = False) -> TaskView:
    """The task once it is final, its progress shown meanwhile; Ctrl-C cancels it."""
    shown = _Shown(quiet)
    try:
        while not task.status.is_final:
            shown.show(task)
            task = registry.wait(task.task_id, _EVERY_S)
    except KeyboardInterrupt:
        registry.cancel(task.task_id)
        task = registry.wait(task.task_id, 10)
    shown.clear()
    return task


def check_task(task: TaskView) -> None:
    """Raise what made the task fail, as it was said where it failed."""
    if task.status is TaskStatus.CANCELLED:
        raise InvalidArgument(f"interrupted; registered: {', '.join(task.results) or 'nothing'}")
    if task.status is TaskStatus.FAILED:
        kinds = {kind.code: kind for kind in ActiscopeError.__subclasses__()}
        kind = kinds.get(task.error_code or "", Internal)
        raise kind(task.error_message or "the task failed", problems=list(task.problems))


def print_problems(task: TaskView) -> None:
    """What could not be done, on standard error."""
    for problem in task.problems:
        click.echo(f"warning: {printable(problem, newline=' ')}", err=True)


class _Shown:
    """One line that is rewritten; without a terminal a line now and then."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._last = ("", float("-inf"))

    def show(self, task: TaskView) -> None:
        """The task's state."""
        if self._quiet:
            return
        line = progress_line(task)
        phase, at = self._last
        if self._is_terminal:
            click.echo("\r" + line[:_WIDTH].ljust(_WIDTH), err=True, nl=False)
        elif task.phase != phase or time.monotonic() - at > _EVERY_WITHOUT_TERMINAL_S:
            self._last = (task.phase, time.monotonic())
            click.echo(line, err=True)

    def clear(self) -> None:
        """Nothing is under way any more."""
        if self._is_terminal and not self._quiet:
            click.echo("\r" + " " * _WIDTH + "\r", err=True, nl=False)


def progress_line(task: TaskView) -> str:
    """Phase, how much of it is done, and how fast."""
    line = f"{task.phase}"
    if task.unit == "bytes":
        line += f"  {size(task.done)}" + (f" of {size(task.total)}" if task.total else "")
        line += f"  {size(task.per_s)}/s" if task.per_s else ""
    elif task.unit:
        line += f"  {task.done:,}" + (f" of {task.total:,}" if task.total else "")
        line += f" {task.unit}"
    return f"{line}  {printable(task.title, newline=' ')}"


def size(n_bytes: float) -> str:
    """Bytes, in the unit that fits."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"
