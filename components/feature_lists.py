"""Tables of what belongs to a feature: related features, tokens, groups of documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import UNKNOWN, count_text, number_text, share_text
from components.feature_links import compare_href, feature_href
from components.tables import Column, table
from components.token_text import readable, visible
from services.types.decoder import TokenWeight
from services.types.features import MetadataGroup, RelatedFeature, ScoredToken, TokenUse

_MEASURES: Mapping[str, str] = {
    "cosine": "Cosine",
    "count": "Together",
    "jaccard": "Jaccard",
    "correlation": "Correlation",
}
_SHOWN_TOKENS = 4


def related_table(
    by: str, features: Sequence[RelatedFeature], sae_id: str, feature_id: int, store_id: str | None
) -> html.Div:
    """Other features with what they are called and fire on; each leads to its page."""
    counted = by != "cosine"
    columns = [Column("Feature"), Column(_MEASURES[by], number=True)]
    if counted:
        columns += [Column("Together" if by != "count" else "Expected", number=True)]
    columns += [Column("Strongest at"), Column("Beside it")]
    rows = []
    for one in features:
        name = _related_name(one, sae_id, store_id)
        value = count_text(int(one.value)) if by == "count" else number_text(one.value)
        compare = dcc.Link(
            ["Compare", dmc.VisuallyHidden(f" with feature {one.feature_id}")],
            href=compare_href((sae_id, feature_id), (sae_id, one.feature_id)),
            className="as-small",
        )
        together = [_together(by, one)] if counted else []
        rows.append([name, value, *together, token_chips(one.top_tokens), compare])
    return table(f"Features by {_MEASURES[by].lower()}", columns, rows)


def _related_name(one: RelatedFeature, sae_id: str, store_id: str | None) -> Any:
    link = dcc.Link(f"#{one.feature_id}", href=feature_href(sae_id, one.feature_id, store=store_id))
    label = html.Span(readable(one.label), className="as-block as-small") if one.label else None
    return [link, label]


def _together(by: str, one: RelatedFeature) -> str:
    if by != "count":
        return count_text(one.count)
    return UNKNOWN if one.expected is None else number_text(one.expected)


def token_chips(texts: Sequence[str], n: int = _SHOWN_TOKENS) -> Any:
    """Tokens beside each other; a dash where there are none."""
    if not texts:
        return UNKNOWN
    return html.Span([html.Code(visible(text), className="as-chip") for text in texts[:n]])


def uses_table(label: str, uses: Sequence[TokenUse]) -> html.Div:
    """Tokens at, before or after its activations, the most frequent first."""
    has_rate = any(use.fires is not None for use in uses)
    columns = [Column("Token"), Column("Count", number=True), Column("Share", number=True),
               Column("Mean", number=True), Column("Lift", number=True)]  # fmt: skip
    if has_rate:
        columns.append(Column("Fires at", number=True))
    rows = [
        [
            html.Code(visible(use.text), className="as-chip"), count_text(use.count),
            share_text(use.share), number_text(use.mean), number_text(use.lift),
            *([share_text(use.fires)] if has_rate else []),
        ]
        for use in uses
    ]  # fmt: skip
    return table(label, columns, rows)


def rank_table(tokens: Sequence[ScoredToken]) -> html.Div:
    """Tokens by PageRank."""
    columns = [Column("Token"), Column("PageRank", number=True), Column("Contexts", number=True)]
    rows = [
        [html.Code(visible(token.text), className="as-chip"), number_text(token.score),
         count_text(token.count)]
        for token in tokens
    ]  # fmt: skip
    return table("Tokens by PageRank", columns, rows)


def weights_table(label: str, weights: Sequence[TokenWeight]) -> html.Div:
    """Logit weights as numbers."""
    columns = [Column("Token"), Column("Weight", number=True), Column("z", number=True)]
    rows = [
        [html.Code(visible(w.token_str), className="as-chip"), f"{w.weight:+.4g}",
         UNKNOWN if w.z is None else f"{w.z:+.1f}"]
        for w in weights
    ]  # fmt: skip
    return table(label, columns, rows)


def groups_table(
    column: str, groups: Sequence[MetadataGroup], button: Callable[[str], dict[str, Any]]
) -> html.Div:
    """A feature by the values of a metadata column; a value leads to its examples."""
    columns = [
        Column(column), Column("Documents", number=True), Column("Fired in", number=True),
        Column("Activations", number=True), Column("Density", number=True),
        Column("Lift", number=True), Column("95 %", number=True), Column("Mean", number=True),
        Column("Largest", number=True),
    ]  # fmt: skip
    rows = [
        [
            _group_name(column, one, button), count_text(one.n_documents),
            count_text(one.documents_fired), count_text(one.n), share_text(one.density),
            number_text(one.lift), _bounds(one), number_text(one.mean), number_text(one.max),
        ]
        for one in groups
    ]  # fmt: skip
    return table(f"By {column}", columns, rows, fold=True)


def _group_name(column: str, one: MetadataGroup, button: Callable[[str], dict[str, Any]]) -> Any:
    text = "none" if one.value is None else readable(str(one.value))
    shown = text if len(text) <= 60 else text[:59] + "…"
    if not one.n:
        return shown
    return html.Button(
        shown, id=button(json.dumps(one.value, ensure_ascii=False)), type="button",
        className="as-row-button",
        **{"aria-label": f"Examples of documents whose {column} is {shown}"},
    )  # fmt: skip


def _bounds(one: MetadataGroup) -> str:
    if one.lift_bounds is None:
        return UNKNOWN
    return f"{number_text(one.lift_bounds.low)} – {number_text(one.lift_bounds.high)}"
