"""What could be added: entries of the catalogue, and what a folder or repository holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import bytes_text, count_text, number_text, share_text
from components.entries import listed
from components.icons import icon
from services.types import Candidate, CatalogueEntry, CataloguePage, SaeInfo


def catalogue_results(
    page: CataloguePage, add_button: Callable[[CatalogueEntry], Any], text: str = ""
) -> html.Div:
    """The entries that match, best first, each with its button."""
    if not page.items:
        return html.Div([_nothing(text), _suggestion(page.suggestion)], role="status")
    shown, total = len(page.items), page.total
    count = f"{total:,} found" + (f", the best {shown} shown" if total > shown else "")
    items = [_entry(entry, add_button(entry)) for entry in page.items]
    return html.Div(
        [
            html.Div(count, className="as-muted as-small as-num", role="status"),
            html.Ul(items, className="as-offers"),
        ]
    )


def _nothing(text: str) -> html.Span:
    return html.Span(f"Nothing in the catalogue matches “{text}”. ", className="as-muted")


def _suggestion(text: str | None) -> dcc.Link | None:
    if not text:
        return None
    return dcc.Link(f"Search for “{text}”", href=listed("/saes/add", q=text))


def _entry(entry: CatalogueEntry, button: Any) -> html.Li:
    name = html.Div(
        [html.Strong(entry.sae_id, className="as-break"),
         html.Span(entry.release, className="as-muted as-break")],
        className="as-offer-name",
    )  # fmt: skip
    facts = [
        entry.model,
        entry.hook,
        None if entry.layer is None else f"layer {entry.layer}",
        None if entry.width is None else f"{count_text(entry.width)} features",
        None if entry.l0 is None else f"L0 {number_text(entry.l0)}",
        None
        if entry.explained_variance is None
        else f"variance explained {share_text(entry.explained_variance)}",
        "on Neuronpedia" if entry.neuronpedia_id else None,
    ]
    words = [html.Span(fact) for fact in facts if fact]
    problem = None
    if entry.problem:
        problem = html.Span([icon("warning", 13), entry.problem], className="as-inline as-warn")
        button = None
    body = html.Div([name, html.Div(words, className="as-offer-facts"), problem])
    return html.Li([body, button])


def neuronpedia_url(entry: CatalogueEntry) -> str | None:
    """The entry's page on Neuronpedia; None where it is not known to be there."""
    layer = -1 if entry.layer is None else entry.layer
    return SaeInfo(
        entry.sae_id, entry.model, entry.hook, layer, 0, entry.width or 0, "", "",
        neuronpedia_id=entry.neuronpedia_id,
    ).neuronpedia_url()  # fmt: skip


def candidate_choice(
    id: str | dict[str, Any], candidates: Sequence[Candidate]
) -> dmc.CheckboxGroup:
    """The SAEs that were found, grouped by directory, all of them chosen."""
    usable = [one for one in candidates if one.problem is None]
    groups = [_group(name, list(found)) for name, found in groupby(usable, key=_directory)]
    return dmc.CheckboxGroup(
        dmc.Stack(groups, gap="sm"), id=id, value=[one.path for one in usable],
        label=f"{len(usable)} SAE{'s' * (len(usable) != 1)} found",
    )  # fmt: skip


def _directory(candidate: Candidate) -> str:
    return candidate.path.rpartition("/")[0]


def _group(name: str, found: list[Candidate]) -> html.Div:
    title = html.H3([icon("folder", 14), name], className="as-inline as-small as-muted as-break")
    boxes = [
        dmc.Checkbox(
            value=one.path, label=one.path.rpartition("/")[2] or "this folder",
            description=_candidate_facts(one), className="as-break",
        )
        for one in found
    ]  # fmt: skip
    return html.Div([title if name else None, dmc.Stack(boxes, gap=8)])


def _candidate_facts(one: Candidate) -> str:
    width = None if one.d_sae is None else f"{count_text(one.d_in)} → {count_text(one.d_sae)}"
    words = [
        one.format, one.model_name, one.hook_name, one.architecture, width,
        bytes_text(one.size_bytes),
        f"does not say its {' and '.join(map(_needed, one.needs))}" if one.needs else None,
    ]  # fmt: skip
    return " · ".join(word for word in words if word)


def _needed(name: str) -> str:
    return {"model_id": "model", "hook_name": "hook point"}.get(name, name)


def candidate_problems(candidates: Sequence[Candidate]) -> dmc.Alert | None:
    """What was found and cannot be added, each with the reason; None where all can."""
    wrong = [one for one in candidates if one.problem is not None]
    if not wrong:
        return None
    items = [
        html.Li([html.Strong(one.path or "this folder"), f": {one.problem}"], className="as-break")
        for one in wrong
    ]
    return dmc.Alert(
        html.Ul(items, className="as-plain-list"), title="These cannot be added", color="orange",
        variant="light", icon=icon("warning", 18), className="as-warning",
    )  # fmt: skip
