"""How far the labelling of an SAE is, and what is known of a file of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import count_text, share_text
from components.feature_links import features_href
from components.labels import source_badge
from services.types.labels import ImportReport, LabelSource, LabelStatus

_CATEGORIES = 12
_FORMATS = {
    "csv": "CSV of this program",
    "json": "JSON of this program",
    "neuronpedia": "Neuronpedia explanations",
    "saelens": "plain labels by feature, as SAELens has them",
    "splatnlp": "consolidated labels (JSON)",
}


def label_status(status: LabelStatus) -> html.Div:
    """How many are labelled, of how many, where from and as what; each number is a link."""
    of = status.n_live if status.n_live is not None else status.n_features
    share = status.n_labelled / of if of else 0.0
    kind = "live features" if status.n_live is not None else "features"
    numbers = [
        ("Labelled", _link(status, status.n_labelled, label="labelled")),
        ("Starred", _link(status, status.n_starred, starred="1")),
        ("Left out", _link(status, status.n_skipped, skipped="1")),
        ("Labels differ", count_text(status.n_disagreeing)),
    ]
    return html.Div(
        [
            html.Div(
                f"{status.n_labelled:,} of {of:,} {kind}, {share_text(share)}",
                className="as-num as-label-share",
            ),
            dmc.Progress(
                value=100 * min(share, 1), size="sm", **{"aria-label": "Share that has a label"}
            ),
            html.Dl(
                [html.Div([html.Dt(name), html.Dd(value)]) for name, value in numbers],
                className="as-facts as-facts-tight",
            ),
            _sources(status),
            _categories(status),
        ],
        className="as-label-status",
    )


def _link(status: LabelStatus, n: int, **filters: str) -> Any:
    return dcc.Link(count_text(n), href=features_href(status.sae_id, **filters)) if n else "0"


def _sources(status: LabelStatus) -> Any:
    if not status.by_source:
        return None
    parts = [
        html.Li([source_badge(LabelSource(name), None), " ", _link(status, n, source=name)])
        for name, n in sorted(status.by_source.items())
    ]
    return html.Ul(parts, className="as-label-counts", **{"aria-label": "By source"})


def _categories(status: LabelStatus) -> Any:
    if not status.by_category:
        return None
    ordered = sorted(status.by_category.items(), key=lambda pair: (-pair[1], pair[0]))
    parts = [
        html.Li([html.Span(name, className="as-chip"), _link(status, n, category=name)])
        if name
        else html.Li(f"{n:,} without a category", className="as-muted")
        for name, n in ordered[:_CATEGORIES]
    ]
    if len(ordered) > _CATEGORIES:
        parts.append(html.Li(f"and {len(ordered) - _CATEGORIES:,} more", className="as-muted"))
    return html.Ul(parts, className="as-label-counts", **{"aria-label": "By category"})


def import_facts(report: ImportReport) -> html.Div:
    """What a file holds, or what became of it."""
    done = report.batch_id is not None
    facts: Mapping[str, str] = {
        "Format": _FORMATS.get(report.format, report.format),
        "SAE": report.sae_id,
        "Labels in it": count_text(report.n_labels),
        "Added" if done else "New": count_text(report.n_added),
        "There already": count_text(report.n_known),
        "Left out": count_text(report.n_skipped),
    }
    problems = [html.Li(f"{one.place}: {one.reason}") for one in report.problems]
    more = report.n_skipped - len(problems)
    if more > 0 and problems:
        problems.append(html.Li(f"and {more:,} more"))
    return html.Div(
        [
            html.Dl(
                [html.Div([html.Dt(name), html.Dd(text)]) for name, text in facts.items()],
                className="as-facts as-facts-tight as-import-facts",
            ),
            html.Ul(problems, className="as-problems", **{"aria-label": "Problems"})
            if problems
            else None,
        ]
    )
