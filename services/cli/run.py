"""`actiscope run`: a prompt from the terminal, its features in the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from services.cli.text import printable, strip, table, wants_colour
from services.errors import failure_of
from services.runs.queries import TopQuery
from services.runs.request import RunRequest
from services.settings import read_settings
from services.types import RunStatus, RunView

if TYPE_CHECKING:
    from services.runs.service import RunService

_TYPES: dict[str, Any] = {
    "system_prompt": str,
    "chat_template": click.Choice(["auto", "on", "off"]),
    "model_id": str,
    "max_tokens": int,
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "seed": int,
    "sae_ids": str,
    "sae_layer": int,
    "sae_top_k": int,
    "request_id": str,
}
_NAMES = {"sae_ids": "--sae-id"}


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """One option per field of `RunRequest`, with its description and default."""
    for name, kind in reversed(_TYPES.items()):
        field = RunRequest.model_fields[name]
        default = "" if field.default is None else f"  [default: {field.default}]"
        command = click.option(
            _NAMES.get(name, "--" + name.replace("_", "-")),
            name,
            type=kind,
            multiple=name == "sae_ids",
            help=f"{field.description}{'; may be repeated' * (name == 'sae_ids')}{default}",
        )(command)
    return command


@click.command()
@click.argument("prompt")
@request_options
@click.option("--text-only", is_flag=True, help="write text, read no features")
@click.option("--top", default=10, show_default=True, type=click.IntRange(1, 500), help="features")
@click.option("--json", "as_json", is_flag=True, help="print the whole run as JSON")
@click.option("--no-color", envvar="NO_COLOR", hidden=True)
def run(
    prompt: str, text_only: bool, top: int, as_json: bool, no_color: str | None, **fields: Any
) -> None:
    """Run PROMPT (- reads it from standard input) and show what fired.

    The run is stored: the dashboard shows it too.
    """
    given = {k: v for k, v in fields.items() if v is not None and v != ()}
    text = sys.stdin.read() if prompt == "-" else prompt
    request = RunRequest.parse(given | {"prompt": text, "collect_activations": not text_only})

    from services.container import Container

    with closing(Container(read_settings())) as container:
        streams = not as_json and sys.stdout.isatty()
        view = _finished(container.runs, request, streams)
        if as_json:
            _print_json(view)
        else:
            _print(container.runs, view, top, colour=wants_colour(no_color))


def _finished(runs: RunService, request: RunRequest, streams: bool) -> RunView:
    """The run once it is final; Ctrl-C cancels it and keeps what it wrote."""
    request_id = runs.start(request).request_id
    try:
        if streams:
            _stream(runs, request_id)
        runs.wait(request_id)
    except KeyboardInterrupt:
        runs.cancel(request_id)
        runs.wait(request_id)
    view = runs.view(request_id)
    if view.summary.status is RunStatus.ERROR:
        raise failure_of(view)
    return view


def _stream(runs: RunService, request_id: str) -> None:
    shown = 0
    for live in runs.follow(request_id):
        new = live.output_tokens[shown:]
        shown = len(live.output_tokens)
        click.echo(printable("".join(t.text for t in new), newline="\n"), nl=False)
    click.echo("\n")


def _print_json(view: RunView) -> None:
    from services.runs.payloads import run_document

    click.echo(json.dumps(run_document(view), ensure_ascii=False, allow_nan=False))


def _print(runs: RunService, view: RunView, top: int, *, colour: bool) -> None:
    summary = view.summary
    click.echo(strip(view, view.timeline(None), colour=colour), color=colour)
    for timeline in view.timelines:
        if timeline.error is not None:
            click.echo(f"warning: {timeline.sae_id}: {printable(timeline.error)}", err=True)
    features = runs.top_features(summary.request_id, TopQuery(n=top)) if view.timelines else []
    if features:
        rows = [
            (
                feature.sae_id,
                feature.feature_id,
                f"{feature.max_activation:.3f}",
                feature.hits,
                f"{feature.mean_activation:.3f}",
                feature.argmax_position,
                repr(view.tokens[feature.argmax_position].text),
            )
            for feature in features
        ]
        head = ("SAE", "FEATURE", "MAX", "HITS", "MEAN", "AT", "TOKEN")
        click.echo("\n" + table(head, rows, right="lrrrrrl"))
    click.echo(f"\n{summary.request_id}  {summary.status.value}  {summary.duration_ms} ms")
