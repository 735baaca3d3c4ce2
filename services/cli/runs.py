"""`actiscope runs`: the stored runs, newest first."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import click

from services.cli.text import table
from services.runs.queries import RunQuery
from services.settings import read_settings
from services.types import RunStatus, RunSummary


@click.command()
@click.option("--limit", type=int, default=20, show_default=True, help="how many, 1 to 200")
@click.option("--cursor", help="`next_cursor` of the page before")
@click.option("--status", type=click.Choice([s.value for s in RunStatus]))
@click.option("--model-id", help="runs of this model")
@click.option("--sae-id", help="runs with this SAE")
@click.option("--sae-enabled/--no-sae", default=None, help="with or without features")
@click.option("--text", help="part of the prompt, any case")
@click.option("--feature-id", type=int, help="runs in which the feature fired; needs --sae-id")
@click.option("--min-activation", type=float, help="… above this value")
@click.option("--json", "as_json", is_flag=True, help="print the page as JSON")
def runs(as_json: bool, **filters: Any) -> None:
    """List the stored runs, newest first."""
    query = RunQuery.parse({k: v for k, v in filters.items() if v is not None})

    from services.container import Container

    with closing(Container(read_settings())) as container:
        page = container.runs.list(query)
    if as_json:
        from services.runs.payloads import summary_document

        items = [summary_document(item) for item in page.items]
        document = {"items": items, "next_cursor": page.next_cursor}
        click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
        return
    head = ("CREATED", "RUN", "STATUS", "MODEL", "TOKENS", "MS", "PROMPT")
    click.echo(table(head, [_line(item) for item in page.items], right="llllrrl"))
    if page.next_cursor:
        click.echo(f"\nmore: --cursor '{page.next_cursor}'", err=True)


def _line(item: RunSummary) -> tuple[object, ...]:
    return (
        f"{item.created_at.astimezone():%Y-%m-%d %H:%M:%S}",
        item.request_id,
        item.status.value,
        item.model_id,
        item.output_tokens,
        "" if item.duration_ms is None else item.duration_ms,
        item.prompt_preview[:60],
    )
