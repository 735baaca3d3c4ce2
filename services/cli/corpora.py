"""`actiscope corpus`: the corpora of this server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cli.corpus_text import corpus_line, print_corpus, print_source
from services.cli.following import followed
from services.cli.text import printable, table
from services.corpus.documents import (
    corpus_document,
    preview_document,
    source_document,
    statistics_document,
)
from services.corpus.requests import AddCorpus, CorpusQuery, PreviewQuery, SourceRequest
from services.jobs.mapping import job_document
from services.settings import read_settings

if TYPE_CHECKING:
    from services.container import Container

_as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")
_format = click.option(
    "--format",
    type=click.Choice(["auto", "text", "jsonl", "csv", "parquet"]),
    default="auto",
    help="default: by the file's name and content",
)
_dataset = (
    click.option("--config", help="of a dataset of the hub"),
    click.option("--split", help="of a dataset of the hub; default: train"),
    click.option("--revision", help="branch, tag or commit of a dataset of the hub"),
    click.option("--max-documents", type=int, help="read no more rows of a dataset of the hub"),
)


def _with_dataset(command: Any) -> Any:
    for option in reversed(_dataset):
        command = option(command)
    return command


@click.group()
def corpus() -> None:
    """Corpora: look, add, list, show, preview, remove, restore."""


@corpus.command()
@click.argument("place")
@_format
@_with_dataset
@_as_json
def look(place: str, as_json: bool, **given: Any) -> None:
    """Show the first rows of PLACE: a file, a folder, or a dataset of the hub (owner/name)."""
    request = SourceRequest.parse(_source(place, given))
    with _opened() as container:
        preview = container.corpora.look(request)
    if as_json:
        _print_json(source_document(preview))
    else:
        print_source(preview)


@corpus.command()
@click.argument("place")
@_format
@click.option("--text-column", help="default: `text`, or the only column that holds text")
@click.option("--metadata", multiple=True, help="a column to keep (repeat it); default: all")
@click.option("--name", help="default: of the file or dataset")
@click.option(
    "--document-separator",
    type=click.Choice(["file", "line", "blank_line"]),
    help="where a document ends in plain text; default: file",
)
@click.option("--skip", is_flag=True, help="leave out what cannot be read, instead of stopping")
@click.option("--wait/--detach", default=True, help="do it here (default), or leave it to a server")
@_with_dataset
@_as_json
def add(place: str, skip: bool, wait: bool, as_json: bool, **given: Any) -> None:
    """Make a corpus of PLACE: a file, a folder of such files, or a dataset of the hub.

    Text, JSON lines, CSV and Parquet are read. The same content again gives the same corpus.
    """
    own = {n: given.pop(n) for n in ("text_column", "name", "document_separator", "metadata")}
    values = _source(place, given) | {n: v for n, v in own.items() if v}
    request = AddCorpus.parse(values | ({"on_error": "skip"} if skip else {}))
    with _opened() as container:
        job = container.corpora.add(request)
        if not wait:
            _print_started(job_document(job), as_json)
            return
        job = followed(container.jobs, job, quiet=as_json)
        result = dict(job.result or {})
        info = container.corpora.get(result["corpus_id"])
    if as_json:
        _print_json(result | {"corpus": corpus_document(info)})
        return
    click.echo(f"{'there was already' if result['existed'] else 'added'} {info.corpus_id}")
    click.echo(f"{info.n_documents:,} documents, {info.n_chars:,} characters")
    if result["n_skipped"]:
        click.echo(f"warning: {result['n_skipped']:,} pieces were skipped", err=True)
    for column, reason in result["left_out"].items():
        click.echo(f"warning: column {printable(column)} left out: {printable(reason)}", err=True)


@corpus.command(name="list")
@click.option("--all", "include_deleted", is_flag=True, help="deleted ones as well")
@_as_json
def list_corpora(include_deleted: bool, as_json: bool) -> None:
    """List the corpora, newest first."""
    with _opened() as container:
        infos = container.corpora.list(CorpusQuery(include_deleted=include_deleted))
    if as_json:
        _print_json({"items": [corpus_document(info) for info in infos]})
        return
    head = ("CORPUS", "NAME", "DOCUMENTS", "CHARACTERS", "SIZE", "SOURCE", "STATE")
    click.echo(table(head, [corpus_line(info) for info in infos], right="llrrrll"))


@corpus.command()
@click.argument("corpus_id")
@_as_json
def show(corpus_id: str, as_json: bool) -> None:
    """Show what a corpus is, how long its documents are, and what was skipped."""
    with _opened() as container:
        info = container.corpora.get(corpus_id)
        statistics = container.corpora.statistics(corpus_id)
    if as_json:
        _print_json(corpus_document(info) | {"statistics": statistics_document(statistics)})
        return
    print_corpus(info, statistics)


@corpus.command()
@click.argument("corpus_id")
@click.option("--start", type=int, default=0, help="number of the first document, from 0")
@click.option("--limit", type=int, default=3, show_default=True, help="how many, 1 to 100")
@click.option("--chars", type=int, default=500, show_default=True, help="of each")
@_as_json
def preview(corpus_id: str, as_json: bool, **given: Any) -> None:
    """Show some documents of a corpus."""
    query = PreviewQuery.parse(given)
    with _opened() as container:
        found = container.corpora.preview(corpus_id, query)
    if as_json:
        _print_json(preview_document(found))
        return
    for document in found.documents:
        metadata = ", ".join(f"{name}={value}" for name, value in document.metadata.items())
        click.echo(f"--- {document.number} {printable(document.name)}  {printable(metadata)}")
        click.echo(printable(document.text))


@corpus.command()
@click.argument("corpus_id")
@click.option("--hard", is_flag=True, help="forget it, and remove its files")
@click.option("--yes", is_flag=True, help="do not ask")
def remove(corpus_id: str, hard: bool, yes: bool) -> None:
    """Take a corpus out of use; `restore` undoes it, unless the files go too."""
    with _opened() as container:
        if hard and not yes:
            click.confirm(f"Remove the files of {printable(corpus_id)} for good?", abort=True)
        container.corpora.remove(corpus_id, hard)
    click.echo(f"removed {corpus_id}")


@corpus.command()
@click.argument("corpus_id")
def restore(corpus_id: str) -> None:
    """Put a removed corpus into use again."""
    with _opened() as container:
        container.corpora.restore(corpus_id)
    click.echo(f"restored {corpus_id}")


@contextmanager
def _opened() -> Iterator[Container]:
    """A container of this command, which may read any folder."""
    from services.container import Container

    container = Container(read_settings(), any_folder=True)
    try:
        yield container
    finally:
        container.close()


def _source(place: str, given: dict[str, Any]) -> dict[str, Any]:
    """What a user typed: a path when there is one, else a dataset of the hub."""
    dataset = ("config", "split", "revision", "max_documents")
    asked = {n: given[n] for n in dataset if given[n] is not None}
    path = Path(place).expanduser()
    is_path = path.exists() or place.startswith((".", "/", "~")) or place.count("/") != 1
    if is_path and not asked:
        return {"path": str(path.absolute()), "format": given["format"]}
    return {"dataset": {"repo_id": place} | asked}


def _print_started(job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(job)
    else:
        click.echo(f"{job['job_id']} {job['status']}: `actiscope jobs show {job['job_id']}`")


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, default=str, ensure_ascii=False))
