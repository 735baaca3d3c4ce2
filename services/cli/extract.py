"""`actiscope extract`: read a corpus with SAEs, here or on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from services.cli.extraction_text import (
    opened,
    print_ended,
    print_estimate,
    print_json,
    print_next,
    print_started,
)
from services.cli.following import followed
from services.errors import ActiscopeError
from services.extraction.mapping import estimate_document, extraction_document
from services.extraction.requests import StartExtraction

if TYPE_CHECKING:
    from services.container import Container
    from services.types import ExtractionView

_PACKING = ("policy", "context", "stride", "bos")


@click.command()
@click.option("--sae", "sae_ids", multiple=True, required=True, help="an SAE (repeat it)")
@click.option("--corpus", "corpus_id", required=True, help="an id of `actiscope corpus list`")
@click.option("--max-tokens", type=int, help="token budget; default: all")
@click.option("--sample-seed", type=int, help="with a budget: draw documents at random")
@click.option("--context", type=int, help="tokens per window; default: as the SAEs were trained")
@click.option(
    "--stride", type=int, help="by which windows advance; default: three quarters of the context"
)
@click.option(
    "--policy",
    type=click.Choice(["sliding", "documents"]),
    help="windows that slide over long documents (default), or the first window of each",
)
@click.option(
    "--bos", type=click.Choice(["auto", "always", "never"]), help="BOS before each window"
)
@click.option(
    "--count",
    type=click.Choice(["bos", "special"]),
    multiple=True,
    help="give these tokens features, which are left out by default",
)
@click.option("--batch-tokens", type=int, help="tokens per forward pass; default: automatic")
@click.option("--metadata", multiple=True, help="a column to keep (repeat it); default: all")
@click.option("--precision", type=click.Choice(["auto", "float16", "float32"]), help="of values")
@click.option("--allow-broken", is_flag=True, help="also SAEs that a preflight found broken")
@click.option("--request-key", help="the same key and options give the same extraction")
@click.option("--estimate", "only_estimate", is_flag=True, help="say what it would take, and end")
@click.option("--detach", is_flag=True, help="leave the work to a server, and end")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def extract(only_estimate: bool, detach: bool, as_json: bool, **given: Any) -> None:
    """Read a corpus with SAEs of one model, and keep every activation of every feature.

    Works in this process; a server on the same data folder may take the job instead. Ctrl-C stops
    it and keeps what is done.
    """
    request = StartExtraction.parse(_values(given))
    with opened() as container:
        if only_estimate:
            found = container.extractions.estimate(request)
            print_json(estimate_document(found)) if as_json else print_estimate(found)
            return
        views = container.extractions.start(request)
        if not as_json:
            print_started(views, detach=detach)
        if not detach:
            views = worked_on(container, views, quiet=as_json)
        if as_json:
            items = [extraction_document(view) for view in views]
            print_json({"job_id": views[0].job_id, "items": items})
        elif not detach:
            print_ended(container, views)
            print_next(views)


def worked_on(
    container: Container, views: tuple[ExtractionView, ...], *, quiet: bool
) -> tuple[ExtractionView, ...]:
    """The extractions of a job once it succeeded.

    Raises:
        ActiscopeError: why it did not; what was kept is printed before.
    """
    job_id = views[0].job_id
    assert job_id is not None
    try:
        followed(container.jobs, container.jobs.get(job_id), quiet=quiet)
    except ActiscopeError:
        if not quiet:
            kept = [container.extractions.get(view.extraction_id) for view in views]
            print_ended(container, kept)
            click.echo(f"go on with: actiscope extractions retry {kept[0].extraction_id}", err=True)
        raise
    return tuple(container.extractions.get(view.extraction_id) for view in views)


def _values(given: dict[str, Any]) -> dict[str, Any]:
    """The request's values, from the options that were given."""
    counted = given.pop("count")
    packing = {name: given.pop(name) for name in _PACKING}
    values = {name: value for name, value in given.items() if value not in (None, ())}
    values["packing"] = {name: value for name, value in packing.items() if value is not None}
    if counted:
        values["skip"] = [name for name in ("bos", "special") if name not in counted]
    return values
