"""`actiscope overview`: everything about a feature in brief, to be pasted into notes."""

from __future__ import annotations

from typing import Any

import click

from services.cli.extraction_text import opened, print_json


@click.command()
@click.argument("sae")
@click.argument("index", type=int)
@click.option("--format", type=click.Choice(("markdown", "json")), default="markdown")
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
@click.option("--store", "store_id", help="default: the newest store of the SAE")
@click.option("--top", type=int, help="rows of each list, 1 to 50; default: 10")
@click.option("--examples", type=int, help="contexts of the strongest activations; default: 8")
@click.option("--all", is_flag=True, help="PageRank of all contexts, not of 5,000 at most")
def overview(sae: str, index: int, as_json: bool, **options: Any) -> None:
    """Print what is known of feature INDEX of SAE: statistics with intervals, tokens, PageRank,
    ranges, examples, logit weights, related features, and what it rests on.
    """
    from services.evidence.requests import OverviewQuery

    given = {name: value for name, value in options.items() if value is not None}
    if as_json:
        given["format"] = "json"
    query = OverviewQuery.parse(given | {"sae_id": sae, "feature_id": index})
    with opened() as container:
        found = container.evidence.overview(query)
    if isinstance(found, str):
        click.echo(found, nl=False)
    else:
        print_json(found)
