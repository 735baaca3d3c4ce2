"""One feature of the queue: why it comes, what is known of it, the form of its label."""

from __future__ import annotations

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from components.amounts import count_text, number_text, share_text
from components.example_lines import ExampleLines, line_of
from components.feature_links import feature_href
from components.token_text import visible
from pages.context import services
from pages.feature_labels import categories
from pages.label_form import label_form
from pages.label_ids import Queue
from services.errors import ActiscopeError
from services.evidence.requests import ExamplesQuery
from services.types.features import FeatureLine
from services.types.labels import QueueItem

AT = "queue"
_EXAMPLES = 8
_FACTS = (
    ("n", "Activations", count_text),
    ("token_density", "Density", share_text),
    ("max", "Largest", number_text),
)


def queue_evidence(item: QueueItem, store_id: str | None) -> list[Component]:
    """Why it comes, and what is known of it."""
    return [_head(item, store_id), *_evidence(item, store_id)]


def queue_form(item: QueueItem) -> Component:
    """The form, empty."""
    return label_form(AT, categories(item.sae_id))


def _head(item: QueueItem, store_id: str | None) -> html.Div:
    href = feature_href(item.sae_id, item.feature_id, store=store_id)
    name = dcc.Link(f"#{item.feature_id}", href=href)
    left = "1 is left" if item.n_left == 1 else f"{item.n_left:,} are left"
    facts = dmc.Text(f"{item.reason} · {left}", size="sm", className="as-muted")
    parts = [html.H3(name, className="as-queue-name"), facts]
    label = item.marks.label
    named = None
    if label is not None:
        named = dmc.Text(["Now: ", html.Strong(label.text)], size="sm", className="as-label-text")
    return html.Div([dmc.Group(parts, gap="sm"), named], className="as-queue-head")


def _evidence(item: QueueItem, store_id: str | None) -> list[Component]:
    """What is known; a part that cannot be had leaves the others and the form as they are."""
    try:
        line = services().features.lines(item.sae_id, [item.feature_id], store_id)[item.feature_id]
    except ActiscopeError as error:
        return [_missing(error)]
    parts: list[Component] = [_facts(line)]
    if line.statistics.get("n"):
        try:
            parts.append(_examples(item, store_id, line))
        except ActiscopeError as error:
            parts.append(_missing(error))
    return parts


def _missing(error: ActiscopeError) -> dmc.Text:
    return dmc.Text(error.message, size="sm", className="as-muted")


def _facts(line: FeatureLine) -> html.Div:
    numbers = [
        html.Div([html.Dt(title), html.Dd(form(line.statistics[name]))])
        for name, title, form in _FACTS
        if line.statistics.get(name) is not None
    ]
    tokens = [("Fires on", line.top_tokens), ("Writes", line.promoted)]
    lists = [
        html.Div(
            [
                html.Span(title, className="as-muted as-small"),
                *(html.Code(visible(text), className="as-chip") for text in texts),
            ],
            className="as-queue-tokens",
        )
        for title, texts in tokens
        if texts
    ]
    return html.Div([html.Dl(numbers, className="as-facts as-facts-tight"), *lists])


def _examples(item: QueueItem, store_id: str | None, line: FeatureLine) -> ExampleLines:
    asked = {"sae_id": item.sae_id, "feature_id": item.feature_id, "store_id": store_id}
    query = ExamplesQuery.parse({**asked, "limit": _EXAMPLES, "width": 12})
    found = services().evidence.examples(query).items
    return ExampleLines(
        id=Queue.EXAMPLES, lines=[line_of(one) for one in found], mode="text",
        max=abs(line.statistics.get("max") or 0.0),
        label=f"Strongest examples of feature {item.feature_id}",
    )  # fmt: skip
