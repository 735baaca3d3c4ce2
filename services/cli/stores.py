"""`actiscope store`: the activation stores of this server, or any other by path or URL."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cli.tasks import size
from services.cli.text import printable, table
from services.errors import ActiscopeError, InvalidArgument
from services.settings import read_settings
from services.types.stores import StoreHealth

if TYPE_CHECKING:
    from services.stores.service import Stores

EXPORTS = ("parquet", "zarr", "neuron-acts")
IMPORTS = ("zarr", "neuron-acts")

_as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")
_store = click.argument("store")


@click.group()
def store() -> None:
    """Activation stores: list, show, verify, rebuild, export, import.

    STORE is an id of `list`, a folder (with a slash: ./mine), or a URL.
    """


@store.command(name="list")
@_as_json
def list_stores(as_json: bool) -> None:
    """List the stores of this server; those that still fill, too."""
    stores = _stores()
    found = [_looked_at(stores, store_id) for store_id in stores.list()]
    if as_json:
        _print_json({"items": [_document(*item) for item in found]})
        return
    head = ("STORE", "STATE", "TOKENS", "DOCUMENTS", "FEATURES", "ACTIVATIONS", "SIZE")
    click.echo(table(head, [_line(*item) for item in found], right="llrrrrr"))


@store.command()
@_store
@_as_json
def show(store: str, as_json: bool) -> None:
    """Show what a store is of, and how much there is."""
    stores, store_id = _found(store)
    health = stores.health(store_id)
    if as_json:
        _print_json(asdict(health))
        return
    for name, value in _facts(health):
        if value not in (None, ""):
            click.echo(f"{name:<12}{printable(str(value), newline=' ')}")


@store.command()
@_store
@_as_json
@click.pass_context
def verify(context: click.Context, store: str, as_json: bool) -> None:
    """Read every file of a store; exit code 1 when one is not what was written."""
    from services.store.verify import verify as problems_of

    problems = problems_of(_url(store))
    if as_json:
        _print_json({"problems": [asdict(problem) for problem in problems]})
    else:
        for problem in problems:
            click.echo(f"{printable(problem.path)}: {printable(problem.problem)}")
        click.echo(f"damaged: {len(problems)}" if problems else "nothing is wrong")
    if problems:
        context.exit(1)


@store.command()
@_store
def rebuild(store: str) -> None:
    """Make everything under features/ anew from the parts; it comes out the same."""
    from services.store.verify import rebuild as make_anew

    manifest = make_anew(_url(store))
    click.echo(f"rebuilt, version {manifest.version}")


@store.command()
@_store
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--format", "layout", type=click.Choice(EXPORTS), default="parquet", show_default=True
)
def export(store: str, target: Path, layout: str) -> None:
    """Write a store's activations to TARGET: one Parquet file of feature, position and value, a
    Zarr array [features, tokens], or a folder with acts.npy and idxs.npy per feature.
    """
    from services.store import interchange

    stores, store_id = _found(store)
    writers = {
        "parquet": interchange.export_parquet,
        "zarr": interchange.export_transposed_zarr,
        "neuron-acts": interchange.export_neuron_acts,
    }
    target = target.expanduser().absolute()
    if target.exists():
        raise InvalidArgument(f"{target.name} exists already: name another place")
    writers[layout](stores.open(store_id), target)
    click.echo(printable(str(target)))


@store.command(name="import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@_store
@click.option("--format", "layout", type=click.Choice(IMPORTS), required=True)
@click.option("--d-sae", type=int, help="features of the SAE; default: those of SOURCE")
@click.option("--samples", type=int, help="samples of neuron-acts; default: up to the last one")
@click.option("--sae-id", default="", help="recorded in the store")
@click.option("--model-id", default="", help="recorded in the store")
def import_store(
    source: Path, store: str, layout: str, d_sae: int | None, samples: int | None, **ids: Any
) -> None:
    """Make STORE of what lies at SOURCE: a Zarr array [features, samples], or a folder with
    acts.npy and idxs.npy per feature. Each sample becomes a document of one token.
    """
    from services.store import StoreSpec
    from services.store.interchange import import_activations
    from services.store.loaders import ActivationLoader, NeuronActs, TransposedZarr

    loader: ActivationLoader
    loader = TransposedZarr(source) if layout == "zarr" else NeuronActs(source, d_sae, samples)
    provenance = {"imported_from": source.name, "layout": layout}
    spec = StoreSpec(max(d_sae or loader.n_features, 1), provenance=provenance, **ids)
    made = import_activations(loader, _url(store), spec)
    click.echo(f"{made.n_tokens:,} samples, {made.nnz:,} activations")


def _stores() -> Stores:
    from services.stores.service import Stores

    return Stores(read_settings().effective_stores_url)


def _url(store: str) -> str:
    """A place when it looks like one, else where the store of that id is."""
    return store if "/" in store or store in (".", "..") else _stores().url(store)


def _found(store: str) -> tuple[Stores, str]:
    """The stores among which it is, and its id there."""
    from services.stores.service import Stores

    if "/" not in store and store not in (".", ".."):
        return _stores(), store
    place = store if "://" in store else str(Path(store).expanduser().absolute())
    parent, _, name = place.rstrip("/").rpartition("/")
    return Stores(parent), name


def _looked_at(stores: Stores, store_id: str) -> tuple[str, StoreHealth | None, str]:
    try:
        return store_id, stores.health(store_id), ""
    except ActiscopeError as error:
        return store_id, None, error.message


def _document(store_id: str, health: StoreHealth | None, problem: str) -> dict[str, Any]:
    return {"store_id": store_id, "problem": problem or None} | (asdict(health) if health else {})


def _line(store_id: str, health: StoreHealth | None, problem: str) -> tuple[object, ...]:
    if health is None:
        return (store_id, printable(problem, newline=" ")[:60], "", "", "", "", "")
    numbers = (health.n_tokens, health.n_documents, health.spec["d_sae"], health.nnz)
    return (
        store_id,
        "complete" if health.is_complete else "filling",
        *(f"{number:,}" for number in numbers),
        size(health.size_bytes),
    )


def _facts(health: StoreHealth) -> list[tuple[str, object]]:
    spec = health.spec
    return [
        ("store", health.store_id),
        ("state", "complete" if health.is_complete else "filling"),
        ("version", health.version),
        ("model", spec["model_id"]),
        ("SAE", spec["sae_id"]),
        ("hook", spec["hook_name"]),
        ("features", f"{spec['d_sae']:,}"),
        ("tokens", f"{health.n_tokens:,}, of which {health.n_counted:,} are counted"),
        ("documents", f"{health.n_documents:,}"),
        ("metadata", ", ".join(f"{name} ({kind})" for name, kind in spec["metadata"].items())),
        ("activations", f"{health.nnz:,}, {health.l0:.2f} per counted token"),
        ("size", size(health.size_bytes)),
        ("text", "vocabulary.parquet" if health.has_vocabulary else "none: ids only"),
        ("provenance", json.dumps(health.provenance, ensure_ascii=False)),
    ]


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
