"""`actiscope sae`: the SAEs of this server, and sae-lens' catalogue."""

from __future__ import annotations

import json
from typing import Any

import click

from services.cli.models import place_of
from services.cli.sae_text import entry_line, line, print_card, print_report, print_verdicts
from services.cli.tasks import check_task, finished, opened_registry, print_problems
from services.cli.text import printable, table
from services.registry.requests import AddSaes, SaeQuery, SearchQuery
from services.types import SaeCard, Source, Verdict

_as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")


@click.group()
def sae() -> None:
    """SAEs: search, add, list, show, preflight, remove, restore."""


@sae.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=int, default=20, show_default=True, help="how many, 1 to 500")
@click.option("--offset", type=int, default=0, help="how many to leave out")
@_as_json
def search(text: tuple[str, ...], limit: int, offset: int, as_json: bool) -> None:
    """Search sae-lens' catalogue for TEXT: release, model, hook, layer 12, 16k; works offline."""
    query = SearchQuery.parse({"q": " ".join(text), "limit": limit, "offset": offset})

    from services.sae.directory import Directory

    page = Directory().search(query.q, limit=query.limit, offset=query.offset)
    if as_json:
        from services.registry.documents import catalogue_document

        _print_json(catalogue_document(page))
        return
    if not page.items:
        hint = f"; try: {printable(page.suggestion)}" if page.suggestion else ""
        click.echo(f"nothing found{hint}", err=True)
        return
    head = ("RELEASE", "SAE", "MODEL", "HOOK", "LAYER", "WIDTH", "L0", "NEURONPEDIA", "")
    click.echo(table(head, [entry_line(entry) for entry in page.items], right="llllrrrll"))
    shown = len(page.items)
    click.echo(f"\n{shown} of {page.total}; add with: actiscope sae add RELEASE SAE", err=True)


@sae.command()
@click.argument("place")
@click.argument("ids", nargs=-1)
@click.option("--path", "paths", multiple=True, help="which of those found; may be repeated")
@click.option("--revision", help="branch, tag or commit of a hub repository; default: main")
@click.option("--model-id", help="the model of this server to use them with")
@click.option("--hook-name", help="where they read, if they do not say")
@click.option("--id", "sae_id", help="name here of a single one")
@click.option("--preflight/--no-preflight", default=True, help="measure each with its model")
@_as_json
def add(place: str, ids: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Register the SAEs of PLACE and measure them.

    PLACE is a folder or file, a repository of the hub (owner/name), or a release of sae-lens'
    catalogue followed by the IDS of its SAEs. Exit code 1 when nothing could be added.
    """
    where = _where(place, ids, given.pop("revision"))
    options = {k: v for k, v in given.items() if v is not None and v != ()}
    request = AddSaes.parse({k: v for k, v in where.items() if v is not None} | options)
    with opened_registry() as registry:
        task = finished(registry, registry.add_saes(request), quiet=as_json)
        cards = [registry.sae(sae_id) for sae_id in task.results]
        if as_json and cards:
            document = {"items": [_document(card) for card in cards], "problems": task.problems}
            _print_json(document)
        elif cards:
            print_verdicts(cards)
        if not as_json or not cards:
            print_problems(task)
    check_task(task)


@sae.command(name="list")
@click.option("--text", help="part of the id, model, repository, release or hook")
@click.option("--source", type=click.Choice([s.value for s in Source]))
@click.option("--architecture")
@click.option("--model-id", help="SAEs of this model")
@click.option("--verdict", type=click.Choice([v.value for v in Verdict]))
@click.option("--all", "include_deleted", is_flag=True, help="deleted ones as well")
@_as_json
def list_saes(as_json: bool, **filters: Any) -> None:
    """List the SAEs of this server."""
    query = SaeQuery.parse({k: v for k, v in filters.items() if v is not None})
    with opened_registry() as registry:
        cards = registry.saes(query)
    if as_json:
        _print_json({"items": [_document(card) for card in cards]})
        return
    head = ("SAE", "VERDICT", "STATE", "MODEL", "HOOK", "WIDTH", "ARCHITECTURE", "SOURCE")
    click.echo(table(head, [line(card) for card in cards], right="lllllrll"))


@sae.command()
@click.argument("sae_id")
@_as_json
def show(sae_id: str, as_json: bool) -> None:
    """Show all that is known about an SAE, with its newest preflight."""
    with opened_registry() as registry:
        card = registry.sae(sae_id)
    if as_json:
        _print_json(_document(card))
        return
    print_card(card)


@sae.command()
@click.argument("sae_id")
@click.option("--model-id", help="measure it with this model instead of its own")
@_as_json
def preflight(sae_id: str, model_id: str | None, as_json: bool) -> None:
    """Measure an SAE with its model; exit code 1 when the pair is broken."""
    with opened_registry() as registry:
        task = finished(registry, registry.preflight(sae_id, model_id), quiet=as_json)
        check_task(task)
        report = registry.preflights(sae_id)[0]
    if as_json:
        from services.registry.documents import preflight_document

        _print_json(preflight_document(report))
    else:
        click.echo(f"{report.verdict.value}: {sae_id} with {report.model_id}")
        print_report(report)
    if report.verdict is Verdict.BROKEN:
        raise click.exceptions.Exit(1)


@sae.command()
@click.argument("sae_id")
@click.option("--with-files", is_flag=True, help="forget it, and remove its files")
@click.option("--yes", is_flag=True, help="do not ask")
def remove(sae_id: str, with_files: bool, yes: bool) -> None:
    """Take an SAE out of use; `restore` undoes it, unless the files go too."""
    with opened_registry() as registry:
        if with_files and not yes:
            click.confirm(f"Remove the files of {printable(sae_id)} for good?", abort=True)
        registry.delete_sae(sae_id, with_files)
    click.echo(f"removed {sae_id}")


@sae.command()
@click.argument("sae_id")
def restore(sae_id: str) -> None:
    """Put a removed SAE into use again."""
    with opened_registry() as registry:
        registry.restore_sae(sae_id)
    click.echo(f"restored {sae_id}")


def _where(place: str, ids: tuple[str, ...], revision: str | None) -> dict[str, Any]:
    if ids:
        asked = {"release": place, "catalogue_ids": ids, "revision": revision}
        return {"source": "catalogue"} | asked
    return place_of(place, revision)


def _document(card: SaeCard) -> dict[str, Any]:
    from services.registry.documents import sae_document

    return sae_document(card)


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, default=str, ensure_ascii=False))
