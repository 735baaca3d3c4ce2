"""The health of the product, as a page and as one word in the header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import html

from components.icons import icon
from services.types import Check, Health


def health_view(health: Health) -> html.Div:
    """Every check with its message and details, and the versions in use."""
    failed = sum(not check.ok for check in health.checks)
    verdict = "Everything works" if not failed else f"{failed} of {len(health.checks)} need a look"
    mark = _mark(failed == 0)
    versions = [
        html.Div([html.Dt(name), html.Dd(version)]) for name, version in health.versions.items()
    ]
    return html.Div(
        [
            html.Div([mark, dmc.Title(verdict, order=2)], className="as-verdict", role="status"),
            html.Ul([_check(check) for check in health.checks], className="as-checks"),
            dmc.Title("Versions", order=2),
            html.Dl(versions, className="as-facts"),
        ],
        className="as-health",
    )


def _check(check: Check) -> html.Li:
    return html.Li(
        [
            _mark(check.ok),
            html.Div(
                [
                    html.Div(
                        [html.Strong(check.name), html.Span(check.message)], className="as-check"
                    ),
                    _details(check.details),
                ]
            ),
        ]
    )


def _details(details: Mapping[str, Any]) -> html.Dl | None:
    if not details:
        return None
    pairs = [html.Div([html.Dt(str(k)), html.Dd(_text(v))]) for k, v in details.items()]
    return html.Dl(pairs, className="as-check-details")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _mark(ok: bool) -> html.Span:
    tone, picture, word = ("good", "check", "OK") if ok else ("bad", "cross", "Problem")
    return html.Span([icon(picture, 14), dmc.VisuallyHidden(word)], className=f"as-mark as-{tone}")
