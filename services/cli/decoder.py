"""`actiscope decoder`: what the weights of a feature say without any text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from services.cli.extraction_text import opened, print_json
from services.cli.text import table
from services.types import TokenWeight

_sae = click.argument("sae")
_index = click.argument("index", type=int)
_as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")


@click.group()
def decoder() -> None:
    """A feature's decoder direction: output-influence, weight-percentile, similar.

    An extraction with the SAE computes what these read.
    """


@decoder.command(name="output-influence")
@_sae
@_index
@click.option("--top-k", type=click.IntRange(1, 20), default=10, show_default=True)
@_as_json
def output_influence(sae: str, index: int, top_k: int, as_json: bool) -> None:
    """The tokens that feature INDEX of SAE promotes and suppresses, by logit weight."""
    with opened() as container:
        container.evidence.require(sae, index)
        table_of = container.decoders.require(sae)
        found, reason = table_of.feature(index), table_of.info.without_logits
    top, bottom = found.top[:top_k], found.bottom[:top_k]
    if as_json:
        print_json(asdict(found) | {"top": _documents(top), "bottom": _documents(bottom)})
        return
    if not top:
        click.echo(f"no logit weights: {reason}")
        return
    rows = [(*_cells(up), *_cells(down)) for up, down in zip(top, bottom, strict=True)]
    click.echo(
        table(("PROMOTES", "WEIGHT", "Z", "SUPPRESSES", "WEIGHT", "Z"), rows, right="lrrlrr")
    )


@decoder.command(name="weight-percentile")
@_sae
@_index
@_as_json
def weight_percentile(sae: str, index: int, as_json: bool) -> None:
    """How long the decoder direction of feature INDEX of SAE is, among all of the SAE."""
    with opened() as container:
        container.evidence.require(sae, index)
        found = container.decoders.require(sae).norm(index)
    if as_json:
        print_json(asdict(found))
        return
    click.echo(f"norm       {found.decoder_norm:.4f}")
    click.echo(f"percentile {found.percentile:.2f}")
    click.echo(f"rank       {found.rank:,} of {found.d_sae:,}")
    click.echo(f"all        {found.mean:.4f} ± {found.std:.4f}")


@decoder.command()
@_sae
@_index
@click.option("--top-k", type=click.IntRange(1, 20), default=10, show_default=True)
@_as_json
def similar(sae: str, index: int, top_k: int, as_json: bool) -> None:
    """The features of SAE with the decoder directions nearest to that of feature INDEX."""
    from services.evidence.requests import RelatedQuery

    query = RelatedQuery.parse({"sae_id": sae, "feature_id": index, "limit": top_k})
    with opened() as container:
        found = container.evidence.related(query)
    if as_json:
        print_json({"items": [asdict(other) for other in found]})
        return
    rows = [
        (
            other.feature_id,
            f"{other.value:.4f}",
            "" if other.count is None else f"{other.count:,}",
            other.label or "",
            " ".join(other.top_tokens[:5]),
        )
        for other in found
    ]
    head = ("FEATURE", "COSINE", "BOTH FIRE", "LABEL", "TOP TOKENS")
    click.echo(table(head, rows, right="rrrll"))


def _cells(weight: TokenWeight) -> tuple[str, str, str]:
    z = "" if weight.z is None else f"{weight.z:+.1f}"
    return weight.token_str, f"{weight.weight:+.4f}", z


def _documents(weights: Sequence[TokenWeight]) -> list[dict[str, Any]]:
    return [asdict(weight) for weight in weights]
