"""The runs in which a feature fired, as its page lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from dash import dcc, html

from components.amounts import number_text
from components.runs import run_href, status_badge, time_element
from services.types import FeatureInRun, RunSummary


def feature_run_lines(
    items: Sequence[RunSummary],
    strengths: Mapping[str, FeatureInRun],
    sae_id: str,
    feature_id: int,
) -> list[html.Li]:
    """A line per run, which leads to the run with the feature pinned."""
    pinned = urlencode({"sae": sae_id, "feature": feature_id})
    return [
        html.Li(
            dcc.Link(
                [
                    html.Span(
                        item.prompt_preview or "(empty prompt)", className="as-recent-prompt"
                    ),
                    html.Span(_facts(item, strengths), className="as-recent-facts"),
                ],
                href=f"{run_href(item.request_id)}?{pinned}",
            ),
            key=item.request_id,
        )
        for item in items
    ]


def _facts(item: RunSummary, strengths: Mapping[str, FeatureInRun]) -> list[Any]:
    fired = strengths.get(item.request_id)
    facts: list[Any] = [status_badge(item.status), time_element(item.created_at)]
    if fired is not None:
        times = "1 token" if fired.hits == 1 else f"{fired.hits:,} tokens"
        facts += [html.Span(f"max {number_text(fired.max_activation)}"), html.Span(times)]
    return facts


def runs_href(sae_id: str, feature_id: int, above: float | None) -> str:
    """The list of runs in which the feature fired."""
    above_too = {} if above is None else {"above": above}
    return f"/runs?{urlencode({'sae': sae_id, 'feature': feature_id, **above_too})}"
