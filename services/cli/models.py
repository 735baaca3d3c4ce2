"""`actiscope model`: the models of this server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from services.cli.tasks import check_task, finished, opened_registry, print_problems, size
from services.cli.text import printable, table
from services.registry.requests import AddModel
from services.types import EntryState, ModelCard

_as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")


@click.group()
def model() -> None:
    """Models: add, list, show, remove, restore."""


@model.command()
@click.argument("place")
@click.option("--id", "model_id", help="its name here; default: the repository's, or the folder's")
@click.option("--revision", help="branch, tag or commit of a hub repository; default: main")
@_as_json
def add(place: str, model_id: str | None, revision: str | None, as_json: bool) -> None:
    """Register PLACE: a folder with a checkpoint, or a repository of the hub (owner/name).

    A folder is used where it lies. SAEs that wait for the model are measured.
    """
    given = place_of(place, revision) | {"model_id": model_id}
    request = AddModel.parse({k: v for k, v in given.items() if v is not None})
    with opened_registry() as registry:
        task = finished(registry, registry.add_model(request), quiet=as_json)
        check_task(task)
        print_problems(task)
        _print(registry.model(task.results[0]), as_json)


@model.command(name="list")
@click.option("--all", "include_deleted", is_flag=True, help="deleted ones as well")
@_as_json
def list_models(include_deleted: bool, as_json: bool) -> None:
    """List the models, the default one first."""
    with opened_registry() as registry:
        cards = registry.models(include_deleted)
    if as_json:
        _print_json({"items": [_document(card) for card in cards]})
        return
    head = ("MODEL", "STATE", "FAMILY", "LAYERS", "WIDTH", "CONTEXT", "PARAMETERS", "MEMORY",
            "SAES", "SOURCE")  # fmt: skip
    click.echo(table(head, [_line(card) for card in cards], right="lllrrrrrrl"))


@model.command()
@click.argument("model_id")
@_as_json
def show(model_id: str, as_json: bool) -> None:
    """Show all that is known about a model."""
    with opened_registry() as registry:
        _print(registry.model(model_id), as_json)


@model.command()
@click.argument("model_id")
@click.option("--with-files", is_flag=True, help="forget it, and remove what was downloaded")
@click.option("--yes", is_flag=True, help="do not ask")
def remove(model_id: str, with_files: bool, yes: bool) -> None:
    """Take a model out of use; `restore` undoes it, unless the files go too."""
    with opened_registry() as registry:
        if with_files and not yes:
            click.confirm(f"Remove the files of {printable(model_id)} for good?", abort=True)
        registry.delete_model(model_id, with_files)
    click.echo(f"removed {model_id}")


@model.command()
@click.argument("model_id")
def restore(model_id: str) -> None:
    """Put a removed model into use again."""
    with opened_registry() as registry:
        registry.restore_model(model_id)
    click.echo(f"restored {model_id}")


def place_of(place: str, revision: str | None) -> dict[str, Any]:
    """Source and place of what a user typed: a path when there is one, else a repository."""
    path = Path(place).expanduser()
    if path.exists() or place.startswith((".", "/", "~")) or place.count("/") > 1:
        return {"source": "local", "path": str(path.absolute()), "revision": revision}
    return {"source": "huggingface", "repo_id": place, "revision": revision}


def _line(card: ModelCard) -> tuple[object, ...]:
    info = card.info
    return (
        info.model_id,
        card.state.value + (", in memory" if card.is_resident else ""),
        info.family,
        info.n_layers,
        info.d_model,
        info.n_ctx,
        "" if info.n_params is None else f"{info.n_params:,}",
        size(card.memory_bytes) + ("" if card.fits else " (too large)"),
        len(info.saes),
        card.repo_id or card.source.value,
    )


def _print(card: ModelCard, as_json: bool) -> None:
    if as_json:
        _print_json(_document(card))
        return
    info = card.info
    rows = [
        ("model", info.model_id),
        ("state", card.state.value),
        ("problem", card.problem),
        ("source", card.source.value),
        ("repository", card.repo_id and f"{card.repo_id} at {card.repo_revision}"),
        ("path", card.path),
        ("family", info.family),
        ("layers", info.n_layers),
        ("width", info.d_model),
        ("context", info.n_ctx),
        ("vocabulary", info.n_vocab),
        ("parameters", None if info.n_params is None else f"{info.n_params:,}"),
        ("weights", f"{info.dtype}, {size(info.size_bytes)}"),
        ("memory", f"{size(card.memory_bytes)} of {size(card.budget_bytes)}"),
        ("chat template", "yes" if info.has_chat_template else "no"),
        ("stored runs", card.runs),
        ("SAEs", ", ".join(sae.sae_id for sae in info.saes) or "none"),
    ]
    click.echo(table(("", ""), [row for row in rows if row[1] not in (None, "")]).lstrip("\n"))
    if card.state is EntryState.READY and not card.fits:
        click.echo("warning: it does not fit into the memory budget", err=True)


def _document(card: ModelCard) -> dict[str, Any]:
    from services.registry.documents import model_document

    return model_document(card)


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, default=str, ensure_ascii=False))
