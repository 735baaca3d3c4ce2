"""What a comparison shows: statistics, activations, pairs, tokens, shared examples, files."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import dash_mantine_components as dmc
from dash import html

from components.amounts import UNKNOWN, count_text
from components.compare import (
    heat_table,
    notes_list,
    shared_list,
    short_names,
    statistics_table,
    tokens_table,
)
from components.compare_figures import histograms_figure
from components.feature_links import feature_href
from components.feedback import code_block
from components.figures import graph
from components.icons import icon
from components.shell import section
from components.theme import Scheme
from pages.compare_features_ids import Compare
from pages.context import services
from services.comparison.markdown import as_markdown
from services.comparison.requests import CompareQuery
from services.types.features import FeatureComparison


def comparison(found: FeatureComparison, query: CompareQuery, scheme: Scheme) -> list[Any]:
    names = short_names(found.features)
    parts = [
        notes_list(found.notes),
        section("Statistics", statistics_table(found),
                note="With 95 % intervals: docs/statistics.md says how they are computed."),
        _histograms(found, names, scheme),
        section("How they are related", _relations(found, names)),
        section(
            "Tokens", tokens_table(found),
            note="The last row by log-odds of the activations with the corpus as prior (Monroe et "
            "al. 2008), z above 1.96.",
        ),
        _shared(found),
        section("Take away", _export(found), actions=_links(query)),
    ]  # fmt: skip
    return [part for part in parts if part is not None]


def _histograms(found: FeatureComparison, names: list[str], scheme: Scheme) -> Any:
    if not any(f.histogram for f in found.features):
        return None
    figure = histograms_figure(names, [f.histogram for f in found.features], scheme)
    drawn = graph(
        Compare.HISTOGRAMS, figure, label="Shares of the features' activations by their value"
    )
    return section("Activations", drawn, note="Shares of each feature's activations, on one scale.")


def _relations(found: FeatureComparison, names: list[str]) -> Any:
    def whole(value: float | None) -> str:
        return count_text(None if value is None else int(value))

    tables = [
        heat_table("Cosine of decoder directions", names, found.cosine, _three),
        heat_table("Overlap: Jaccard of the tokens", names, found.jaccard, _three),
        heat_table("Correlation over all tokens", names, found.correlation, _three),
        heat_table("Tokens at which both fire", names, found.count, whole, relative=True),
    ]
    return html.Div(tables, className="as-heats")


def _three(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.3f}".replace("-0.000", "0.000").replace("-", "\u2212")


def _shared(found: FeatureComparison) -> Any:
    if len(found.features) > 1 and not found.shared:
        known = any(f.view.known for f in found.features)
        text = "No token makes two of them fire." if known else "Nothing was read with them yet."
        return section("Shared examples", dmc.Text(text, className="as-muted"))
    note = (
        "Tokens at which at least two fire, by the second largest of their values ÷ the feature's "
        "largest; the colours are of the strongest one."
    )
    return section("Shared examples", shared_list(found), note=note)


def _links(query: CompareQuery) -> list[Any]:
    asked = {"f": ",".join(query.f)} | ({"store": ",".join(query.store)} if query.store else {})
    address = f"/api/v1/features/compare?{urlencode(asked, quote_via=quote, safe=',:/')}"
    return [
        html.A(
            [icon("download", 16), label], href=f"{address}{more}", download=name,
            className="as-button as-button-quiet",
        )
        for label, more, name in (
            ("Markdown", "&format=markdown", "comparison.md"), ("JSON", "", "comparison.json")
        )
    ]  # fmt: skip


def _export(found: FeatureComparison) -> Any:
    base = services().settings.base_url
    text = as_markdown(found, lambda sae_id, number: base + feature_href(sae_id, number))
    block = code_block(text, id=Compare.MARKDOWN, label="Comparison as Markdown")
    return html.Details([html.Summary("As Markdown, for notes"), block], className="as-details")
