"""Features of a store: a table of them, and one with its statistics and examples in their text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import count_text, number_text, share_text
from components.extraction_figures import activation_histogram
from components.feedback import empty_state
from components.figures import graph
from components.tables import Column, table
from components.theme import Scheme, level_of
from components.token_text import readable, visible
from services.types.stores import FeaturesPage, StoreContext, StoreExample, StoreFeature

_SHOWN = 10  # examples of a feature
# the scalar of a feature, what it is called, how it is written
_SCALARS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("n", "Activations", count_text),
    ("token_density", "Density", share_text),
    ("n_documents", "Documents", count_text),
    ("max", "Largest", number_text),
    ("mean", "Mean", number_text),
)

Tops = Mapping[int, Sequence[str]]


def features_table(
    page: FeaturesPage,
    tops: Tops,
    button: Callable[[int], dict[str, Any]],
    chosen: int | None,
    href: Callable[[int], str],
) -> html.Div:
    """One row per feature, with what is known; `tops` are tokens at which it is strongest. The
    number shows it beside the table, the link leads to its page.
    """
    known = [row for row in _SCALARS if any(item.get(row[0]) is not None for item in page.items)]
    columns = [Column("Feature"), *(Column(title, number=True) for _, title, _ in known)]
    rows = []
    for item in page.items:
        feature = int(item["feature"])
        cells = [form(item.get(name)) for name, _, form in known]
        name = _name(feature, button(feature), href(feature), feature == chosen)
        rows.append([name, *cells])
    if tops:
        columns.append(Column("Strongest at"))
        for item, row in zip(page.items, rows, strict=True):
            row.append(_tokens(tops.get(int(item["feature"]), ())))
    return table("Features", columns, rows, fold=True)


def _name(feature: int, id: dict[str, Any], href: str, is_chosen: bool) -> html.Div:
    button = html.Button(
        f"#{feature}", id=id, type="button",
        className="as-row-button as-current" if is_chosen else "as-row-button",
        **{"aria-label": f"Show feature {feature}"},
    )  # fmt: skip
    page = ["Page", dmc.VisuallyHidden(f" of feature {feature}")]
    link = dcc.Link(page, href=href, className="as-small")
    return html.Div([button, link], className="as-inline")


def _tokens(texts: Sequence[str]) -> Any:
    if not texts:
        return "–"
    return html.Span([html.Code(visible(text), className="as-chip") for text in texts])


def top_tokens(feature: StoreFeature, n: int = 4) -> list[str]:
    """What the tokens read at which the feature is strongest, each once."""
    contexts = [example.context for example in feature.top]
    texts = [c.tokens[c.position - c.start] or "" for c in contexts]
    return list(dict.fromkeys(text for text in texts if text))[:n]


def feature_panel(feature: StoreFeature, scheme: Scheme) -> list[Any]:
    """Statistics, histogram and the strongest examples of one feature."""
    if feature.is_dead:
        known = "it has fired nowhere" if feature.is_final else "it has fired nowhere so far"
        return [empty_state(f"Feature {feature.feature} is dead", f"In this corpus {known}.")]
    figure = activation_histogram(feature.histogram.edges, feature.histogram.counts, scheme)
    drawn = graph(
        "extraction-histogram", figure, label=f"Activations of feature {feature.feature} by value"
    )
    examples = [_example(example, feature.max or 0.0) for example in feature.top[:_SHOWN]]
    return [
        _numbers(feature),
        drawn if figure.data[0].y else None,
        html.H3("Strongest examples", className="as-option-title"),
        html.Ol(examples, className="as-examples") if examples else _no_examples(),
    ]


def _numbers(feature: StoreFeature) -> html.Dl:
    numbers = [
        ("Activations", count_text(feature.n)),
        ("Density", share_text(feature.token_density)),
        ("Documents", count_text(feature.n_documents)),
        ("Share of documents", share_text(feature.document_density)),
        ("Largest", number_text(feature.max)),
        ("Mean", number_text(feature.mean)),
        ("Median", number_text(feature.quantiles.get("p50"))),
        ("Standard deviation", number_text(feature.std)),
        ("IDF", number_text(feature.idf)),
    ]
    return html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in numbers],
        className="as-facts as-facts-tight",
    )


def _no_examples() -> dmc.Text:
    return dmc.Text("None can be read yet.", className="as-muted")


def _example(example: StoreExample, top: float) -> html.Li:
    head = [
        html.Span(number_text(example.value), className="as-num"),
        html.Span(f"document {example.context.document:,}", className="as-muted as-small"),
    ]
    return html.Li(
        [
            html.Div(head, className="as-example-head"),
            html.Div(context_tokens(example.context, top), className="as-context"),
        ]
    )


def context_tokens(context: StoreContext, top: float) -> list[Any]:
    """The tokens as running text, coloured by the feature's value; the one asked for is framed."""
    named = zip(context.tokens, context.token_ids, strict=True)
    texts = context.pieces or [text or f"[{token_id}]" for text, token_id in named]
    values = context.values or (0.0,) * len(texts)
    at = context.position - context.start
    return [
        _token(text, value, top, is_it=i == at)
        for i, (text, value) in enumerate(zip(texts, values, strict=True))
    ]


def _token(text: str, value: float, top: float, *, is_it: bool) -> Any:
    level = level_of(value, top)
    kind = f"as-tok l{level}" if level else "as-tok"
    more = {"title": f"activation {number_text(value)}"} if level else {}
    made = html.Mark if is_it else html.Span  # the mark is what a screen reader can tell
    return made(readable(text), className=f"{kind} as-it" if is_it else kind, **more)
