"""`actiscope labels`: what is said of features, from the command line."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, get_args

import click

from services.cli.extraction_text import opened, print_json
from services.cli.label_text import print_feature, print_report, print_status
from services.cli.text import printable
from services.labels.documents import feature_document, label_document, queue_document
from services.labels.formats.detecting import read_file
from services.labels.requests import (
    AddLabel,
    EditLabel,
    Format,
    HistoryQuery,
    Mode,
    Order,
    QueueQuery,
)

_as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")
_author = click.option("--author", help="who says so; default: ACTISCOPE_USER")
_sae = click.argument("sae_id", metavar="SAE")
_index = click.argument("index", type=int)


@click.group()
def labels() -> None:
    """Labels of features: next, show, set, skip, status, undo, import, export."""


@labels.command(name="next")
@_sae
@click.option("--order", type=click.Choice(get_args(Order)), default="n", help="default: n")
@click.option("--seed", type=int, default=0, help="of the order `random`")
@click.option("--after", type=int, help="the one that follows this feature in the order")
@click.option("--include-labelled", is_flag=True)
@click.option("--store", "store_id", help="default: the newest that can be read")
@_as_json
def next_feature(sae_id: str, as_json: bool, **given: Any) -> None:
    """Show which feature to label next, and why."""
    with opened() as container:
        item = container.labels.next(QueueQuery.parse({"sae_id": sae_id, **given}))
    if as_json:
        print_json({"sae_id": sae_id} | queue_document(item))
    elif item is None:
        click.echo("none is left")
    else:
        click.echo(f"feature {item.feature_id} — {item.reason}; {item.n_left:,} left")
        click.echo(f"look at it: actiscope overview {sae_id} {item.feature_id}")


@labels.command()
@_sae
@_index
@_as_json
def show(sae_id: str, index: int, as_json: bool) -> None:
    """Show all labels of a feature, the chosen one first, and what was done to them."""
    with opened() as container:
        found = container.labels.feature(sae_id, index)
    if as_json:
        print_json(feature_document(found))
    else:
        print_feature(found)


@labels.command(name="set")
@_sae
@_index
@click.argument("text")
@click.option("--category")
@click.option("--notes", help="Markdown")
@click.option("--confidence", type=float, help="0 to 1")
@click.option("--beside", is_flag=True, help="one more label, instead of changing your own")
@_author
@_as_json
def set_label(
    sae_id: str,
    index: int,
    text: str,
    beside: bool,
    as_json: bool,
    author: str | None,
    **given: Any,
) -> None:
    """Label a feature; when the chosen label is your own, change it."""
    values = {name: value for name, value in given.items() if value is not None} | {"text": text}
    with opened() as container:
        chosen = container.labels.feature(sae_id, index).marks.label
        mine = chosen is not None and chosen.author == (author or container.settings.author)
        if chosen is not None and mine and chosen.source == "human" and not beside:
            request = EditLabel.parse(values | {"label_id": chosen.label_id, "author": author})
            label = container.labels.edit(request)
        else:
            new = values | {"sae_id": sae_id, "feature_id": index, "author": author}
            label = container.labels.add(AddLabel.parse(new | {"choose": not beside}))
    if as_json:
        print_json(label_document(label))
    else:
        click.echo(f"feature {index}: {printable(label.text, newline=' ')}")


@labels.command()
@_sae
@_index
@click.option("--reason", required=True, help="why nobody should label it now")
@_author
@_as_json
def skip(sae_id: str, index: int, reason: str, author: str | None, as_json: bool) -> None:
    """Leave a feature out of the queue."""
    with opened() as container:
        container.labels.skip(sae_id, index, reason, author)
        found = container.labels.feature(sae_id, index)
    if as_json:
        print_json(feature_document(found))
    else:
        click.echo(f"feature {index} is skipped: {printable(found.marks.skipped or '')}")


@labels.command()
@_sae
@_as_json
def status(sae_id: str, as_json: bool) -> None:
    """Show how far the labelling of an SAE is."""
    with opened() as container:
        found = container.labels.status(sae_id)
    if as_json:
        print_json(asdict(found))
    else:
        print_status(found)


@labels.command()
@_sae
@click.argument("batch_id", metavar="[BATCH]", required=False)
@_author
@_as_json
def undo(sae_id: str, batch_id: str | None, author: str | None, as_json: bool) -> None:
    """Take back what was done together; without BATCH what was done last."""
    with opened() as container:
        if batch_id is None:
            newest = container.labels.history(HistoryQuery(sae_id=sae_id, limit=1)).items
            batch_id = newest[0].batch_id if newest else "-"
        found = container.labels.undo(batch_id, author=author, sae_id=sae_id)
    if as_json:
        print_json(asdict(found))
    else:
        click.echo(f"undone at {found.n:,} feature{'' if found.n == 1 else 's'}")


@labels.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sae", "sae_id", help="default: the one that the file is of")
@click.option("--skip-bad", is_flag=True, help="leave out what cannot be used, instead of stopping")
@click.option("--dry-run", is_flag=True, help="only show what would be done")
@_author
@_as_json
def import_labels(
    file: Path, sae_id: str | None, skip_bad: bool, dry_run: bool, author: str | None, as_json: bool
) -> None:
    """Add the labels of FILE: CSV, JSON, explanations of Neuronpedia (also gzipped lines),
    SplatNLP's labels, or texts by feature. What it is, is found out from its content.
    """
    content = read_file(file)
    with opened() as container:
        if dry_run:
            report = container.labels.look(content, sae_id)
        else:
            mode: Mode = "skip" if skip_bad else "stop"
            report = container.labels.import_(content, sae_id, author, mode)
    if as_json:
        print_json(asdict(report))
    else:
        print_report(report)


@labels.command()
@_sae
@click.option("--format", type=click.Choice(get_args(Format)), default="csv", help="default: csv")
@click.option("-o", "--output", type=click.File("wb", atomic=True), help="default: standard output")
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
def export(sae_id: str, format: Format, output: BinaryIO | None, as_json: bool) -> None:
    """Write all labels of an SAE as a file."""
    with opened() as container:
        file = container.labels.export(sae_id, "json" if as_json else format)
    click.echo(file.content, file=output, nl=False)
