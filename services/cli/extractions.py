"""`actiscope extractions`: list, show, cancel, retry, remove."""

from __future__ import annotations

from typing import Any

import click

from services.cli.extract import worked_on
from services.cli.extraction_text import (
    extraction_line,
    opened,
    print_ended,
    print_extraction,
    print_json,
    print_next,
)
from services.cli.text import table
from services.extraction.mapping import extraction_document
from services.extraction.requests import ExtractionQuery
from services.types import JobStatus

_as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")
_HEAD = ("CREATED", "EXTRACTION", "STATUS", "SAE", "CORPUS", "TOKENS", "L0", "SIZE")


@click.group()
def extractions() -> None:
    """Extractions: list, show, cancel, retry, remove."""


@extractions.command(name="list")
@click.option("--limit", type=int, default=20, show_default=True, help="how many, 1 to 200")
@click.option("--cursor", help="`next_cursor` of the page before")
@click.option("--status", type=click.Choice([s.value for s in JobStatus]))
@click.option("--sae", "sae_id", help="of this SAE")
@click.option("--model", "model_id", help="of this model")
@click.option("--corpus", "corpus_id", help="of this corpus")
@_as_json
def list_extractions(as_json: bool, **filters: Any) -> None:
    """List the extractions, newest first."""
    query = ExtractionQuery.parse({k: v for k, v in filters.items() if v is not None})
    with opened() as container:
        page = container.extractions.list(query)
    if as_json:
        items = [extraction_document(view) for view in page.items]
        print_json({"items": items, "next_cursor": page.next_cursor})
        return
    click.echo(table(_HEAD, [extraction_line(view) for view in page.items], right="lllllrrr"))
    if page.next_cursor:
        click.echo(f"\nmore: --cursor '{page.next_cursor}'", err=True)


@extractions.command()
@click.argument("extraction_id")
@_as_json
def show(extraction_id: str, as_json: bool) -> None:
    """Show an extraction."""
    with opened() as container:
        view = container.extractions.get(extraction_id)
        place = container.stores.url(extraction_id)
    print_json(extraction_document(view)) if as_json else print_extraction(view, place)


@extractions.command()
@click.argument("extraction_id")
@_as_json
def cancel(extraction_id: str, as_json: bool) -> None:
    """Stop an extraction within a batch, with the others of its job; what it did is kept."""
    with opened() as container:
        view = container.extractions.cancel(extraction_id)
    print_json(extraction_document(view)) if as_json else click.echo(_changed(view))


@extractions.command()
@click.argument("extraction_id")
@click.option("--detach", is_flag=True, help="leave the work to a server, and end")
@_as_json
def retry(extraction_id: str, detach: bool, as_json: bool) -> None:
    """Go on with a failed or cancelled extraction from what is kept, here."""
    with opened() as container:
        view = container.extractions.get(extraction_id)
        if view.status.is_final:
            view = container.extractions.retry(extraction_id)
        if not detach:
            [view] = worked_on(container, (view,), quiet=as_json)
        if as_json:
            print_json(extraction_document(view))
        elif detach:
            click.echo(_changed(view))
        else:
            print_ended(container, [view])
            print_next([view])


@extractions.command()
@click.argument("extraction_id")
@click.option("--yes", is_flag=True, help="do not ask")
def remove(extraction_id: str, yes: bool) -> None:
    """Forget an extraction, and remove its store."""
    with opened() as container:
        container.extractions.get(extraction_id)
        if not yes:
            place = container.stores.url(extraction_id)
            click.confirm(f"Remove {extraction_id} with its store {place}?", abort=True)
        container.extractions.remove(extraction_id)
    click.echo(f"{extraction_id} removed")


def _changed(view: Any) -> str:
    return f"{view.extraction_id} {view.status.value}"
