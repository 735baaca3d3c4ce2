"""Features side by side: numbers with intervals, heat maps of pairs, tokens, shared examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import UNKNOWN, count_text, number_text, share_text
from components.feature_links import feature_href
from components.store_features import context_tokens
from components.theme import LEVELS
from components.token_text import readable, visible
from services.types.features import (
    Bounds,
    ComparedFeature,
    FeatureComparison,
    ScoredToken,
    SharedExample,
)

Text = Callable[[float | None], str]


def short_names(features: Sequence[ComparedFeature]) -> list[str]:
    """Numbers, with the SAE where there are several."""
    several = len({f.sae_id for f in features}) > 1
    return [f"{f.sae_id} #{f.feature_id}" if several else f"#{f.feature_id}" for f in features]


def statistics_table(found: FeatureComparison) -> html.Div:
    """A column for each feature: what it is, and its numbers with their 95 % intervals."""
    features = found.features
    rows = [
        ("Label", [readable(f.label) if f.label else UNKNOWN for f in features]),
        ("SAE", [readable(f.sae_id) for f in features]),
        ("Hook point", [readable(f.view.hook_name) for f in features]),
        ("Corpus", [readable(f.view.source.corpus_name) if f.view.source else UNKNOWN
                    for f in features]),
        ("Activations", [_known(f, lambda k: count_text(k.n)) for f in features]),
        ("Density", [_estimate(f, "token_density", f.view.density, share_text) for f in features]),
        ("Documents", [_known(f, lambda k: count_text(k.n_documents)) for f in features]),
        ("Share of documents",
         [_estimate(f, "document_density", f.view.document_density, share_text) for f in features]),
        ("Mean", [_estimate(f, "mean", f.view.mean, number_text) for f in features]),
        ("Median", [_known(f, lambda k: number_text(k.quantiles.get("p50"))) for f in features]),
        ("Largest", [_known(f, lambda k: number_text(k.max)) for f in features]),
    ]  # fmt: skip
    links = [
        dcc.Link(name, href=feature_href(f.sae_id, f.feature_id, store=_store(f)))
        for name, f in zip(short_names(features), features, strict=True)
    ]
    return _side_by_side("Statistics of the features", links, rows)


def tokens_table(found: FeatureComparison) -> html.Div:
    """A column for each feature: promoted, suppressed and distinguishing tokens."""
    features = found.features
    rows = [
        ("Promotes", [_chips(f.promoted, _weight) for f in features]),
        ("Suppresses", [_chips(f.suppressed, _weight) for f in features]),
        ("Fires on, the others do not", [_chips(f.distinguishing, _odds) for f in features]),
    ]
    return _side_by_side("Tokens of the features", short_names(features), rows)


def heat_table(
    label: str, names: Sequence[str], values: Sequence[Sequence[float | None]], text: Text,
    *, relative: bool = False,
) -> html.Div:  # fmt: skip
    """A matrix of pairs; the darker, the larger. `relative`: to the largest beside the diagonal."""
    largest = 1.0
    if relative:
        beside = [v for i, row in enumerate(values) for j, v in enumerate(row) if v and i != j]
        largest = float(max(beside, default=1))
    head = html.Tr([html.Td(), *(html.Th(name, scope="col") for name in names)])
    body = [
        html.Tr(
            [
                html.Th(name, scope="row"),
                *(_heat_cell(v, largest, text, is_own=i == j) for j, v in enumerate(row)),
            ]
        )
        for i, (name, row) in enumerate(zip(names, values, strict=True))
    ]
    return html.Div(
        [html.H3(label, className="as-option-title"),
         html.Table([html.Thead(head), html.Tbody(body)], className="as-heat",
                    **{"aria-label": label})],
        className="as-heat-box", tabIndex=0, role="region", **{"aria-label": label},
    )  # fmt: skip


def shared_list(found: FeatureComparison) -> Any:
    """Tokens at which several fire, each with all values, in their text."""
    names = short_names(found.features)
    tops = [f.view.known.max if f.view.known else None for f in found.features]
    items = [_shared(one, names, tops) for one in found.shared]
    return html.Ol(items, className="as-examples")


def chosen_list(
    features: Sequence[tuple[str, int]], remove: Callable[[str], Any], disabled: bool = False
) -> html.Ul:
    """The compared features, each with a button that takes it out."""
    return html.Ul(
        [
            html.Li(
                [
                    dcc.Link(f"{readable(sae_id)} #{number}", href=feature_href(sae_id, number)),
                    html.Button(
                        "×", id=remove(f"{sae_id}:{number}"), type="button", className="as-x",
                        disabled=disabled, **{"aria-label": f"Take out {sae_id} feature {number}"},
                    ),
                ],
                className="as-chosen",
            )
            for sae_id, number in features
        ],
        className="as-chosen-list",
        **{"aria-label": "Compared features"},
    )  # fmt: skip


def notes_list(notes: Sequence[str]) -> Any:
    """What is not compared, and why."""
    if not notes:
        return None
    items = html.Ul([html.Li(readable(note)) for note in notes], className="as-notes")
    return dmc.Alert(items, title="Not everything can be compared", color="gray", variant="light")


def _store(feature: ComparedFeature) -> str | None:
    return feature.view.source.store_id if feature.view.source else None


def _known(feature: ComparedFeature, text: Callable[[Any], str]) -> str:
    return UNKNOWN if feature.view.known is None else text(feature.view.known)


def _estimate(feature: ComparedFeature, name: str, bounds: Bounds | None, text: Text) -> Any:
    shown = _known(feature, lambda known: text(getattr(known, name)))
    if bounds is None or shown == UNKNOWN:
        return shown
    around = f"{text(bounds.low)} to {text(bounds.high)}"
    return [shown, html.Span(around, className="as-block as-muted as-small", title="95 % interval")]


def _side_by_side(label: str, heads: Sequence[Any], rows: Sequence[tuple[str, list[Any]]]) -> Any:
    head = html.Tr([html.Td(), *(html.Th(h, scope="col") for h in heads)])
    body = [
        html.Tr([html.Th(title, scope="row"), *(html.Td(cell) for cell in cells)])
        for title, cells in rows
    ]
    table = html.Table([html.Thead(head), html.Tbody(body)], className="as-table as-side-by-side",
                       **{"aria-label": label})  # fmt: skip
    return html.Div(
        table, className="as-table-box", tabIndex=0, role="region", **{"aria-label": label}
    )


def _weight(token: ScoredToken) -> str:
    return f"logit weight {token.score:+.3g}"


def _odds(token: ScoredToken) -> str:
    return f"{token.count:,} activations, z = {token.score:.1f}"


def _chips(tokens: Sequence[ScoredToken], words: Callable[[ScoredToken], str]) -> Any:
    if not tokens:
        return UNKNOWN
    return [
        html.Code(visible(token.text), className="as-chip", title=words(token)) for token in tokens
    ]


def _heat_cell(value: float | None, largest: float, text: Text, *, is_own: bool) -> html.Td:
    if value is None:
        return html.Td(UNKNOWN, className="as-heat-none")
    if is_own:
        return html.Td(text(value), className="as-heat-own")
    share = min(max(value / largest, 0.0), 1.0)
    level = round(share * LEVELS)
    colours = {"background": f"var(--as-l{level})", "color": f"var(--as-i{level})"}
    return html.Td(text(value), style=colours if level else {})


def _shared(one: SharedExample, names: Sequence[str], tops: Sequence[float | None]) -> html.Li:
    values = [
        html.Span([html.B(name), f" {number_text(value)}{_share(value, top)}"], className="as-num")
        for name, value, top in zip(names, one.values, tops, strict=True)
        if value is not None
    ]
    context = one.example.example.context
    where = f"document {context.document:,}"
    top = max((v for v in context.values or ()), default=0.0)
    return html.Li(
        [
            html.Div([*values, html.Span(where, className="as-muted as-small")],
                     className="as-shared-head"),
            html.Div(context_tokens(context, top), className="as-context"),
        ]
    )  # fmt: skip


def _share(value: float, top: float | None) -> str:
    return f" ({100 * value / top:.0f} %)" if value and top else ""
