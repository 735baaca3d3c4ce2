"""The panel of one run, live or finished, as the playground and the run's own page show it."""

from __future__ import annotations

from typing import Any, get_args
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import dcc, html

from components.feedback import copyable
from components.grids import rows_grid
from components.icons import icon
from components.runs import run_href, status_badge
from components.shell import section
from components.token_strip import TokenStrip
from pages.ids import Panel, choose
from pages.view import View
from services.runs.queries import RowQuery, RowSort, TopQuery
from services.types import RunStatus, RunSummary, RunView

_HIDDEN = {"display": "none"}
_SHOWN: dict[str, str] = {}
_TICK_MS = 2500


def panel(view: View, path: str, empty: Any = None) -> dmc.Stack:
    """The panel for `view`, whose state is mirrored to the address `path`."""
    return dmc.Stack(
        [
            dcc.Store(id=Panel.VIEW, data=view.as_data()),
            dcc.Store(id=Panel.RUN, data=view.run),
            dcc.Store(id=Panel.PATH, data=path),
            *(dcc.Store(id=i) for i in (Panel.SHOWN, Panel.FOLLOWED, Panel.ENDED, Panel.BEAT)),
            *(dcc.Store(id=i) for i in (Panel.DRAWN, Panel.DRAWN_FIGURES)),
            *(dcc.Store(id=i) for i in (Panel.HEARD, Panel.SINK, Panel.WATCH)),
            dcc.Interval(id=Panel.TICK, interval=_TICK_MS, disabled=True),
            html.Div(id=Panel.ERROR),
            html.Div(empty, id=Panel.EMPTY, style=_SHOWN if view.run is None else _HIDDEN),
            html.Div(id=Panel.HEAD),
            _live(),
            dmc.Stack(_result(view), id=Panel.RESULT, style=_HIDDEN),
        ],
    )


def visible(shown: bool) -> dict[str, str]:
    """The style of a section that is shown or not."""
    return _SHOWN if shown else _HIDDEN


def head(summary: RunSummary, path: Any) -> Any:
    """Status, id and size of the run, and why it ended when that was not as asked."""
    href = run_href(summary.request_id)
    facts = [
        status_badge(summary.status),
        copyable(summary.request_id, label="run id"),
        dmc.Text(_size(summary), size="sm", className="as-muted as-num"),
        dmc.Anchor("Open the run", href=href, size="sm") if path != href else None,
    ]
    return html.Div(dmc.Stack([dmc.Group(facts, gap="sm"), _reason(summary)]), role="status")


def _size(summary: RunSummary) -> str:
    text = f"{summary.prompt_tokens} prompt + {summary.output_tokens} output tokens"
    if summary.sae_enabled:
        text += f", {summary.unique_features_count:,} features"
    return text


_REASONS = {
    RunStatus.PARTIAL: "The text is complete, but at least one SAE failed.",
    RunStatus.ERROR: "The run failed.",
    RunStatus.CANCELLED: "The run was cancelled; what it had written is kept.",
    RunStatus.INTERRUPTED: "The server stopped during this run; what it had written is kept.",
}


def _reason(summary: RunSummary) -> Any:
    reason = _REASONS.get(summary.status)
    if reason is None:
        return None
    text = f"{reason} {summary.error_message or ''}".strip()
    colour = "gray" if summary.status is RunStatus.CANCELLED else "orange"
    return dmc.Alert(text, color=colour, variant="light", icon=icon("info", 18))


def sae_choice(run: RunView, view: View) -> Any:
    """The choice between the run's usable SAEs; nothing when there is just one."""
    names = [t.sae_id for t in run.timelines if t.error is None]
    chosen = run.timeline(view.sae)
    if len(names) < 2 or chosen is None:
        return None
    if len(names) > 4:
        return dmc.Select(
            id=choose("sae"), data=names, value=chosen.sae_id, allowDeselect=False, size="sm",
            **{"aria-label": "SAE"},
        )  # fmt: skip
    return dmc.SegmentedControl(
        id=choose("sae"), data=names, value=chosen.sae_id, size="sm", **{"aria-label": "SAE"}
    )


def downloads(request_id: str, view: View, sae_id: str | None) -> Any:
    """Links to the run's files: the whole of it, and of the SAE what the view shows."""
    links = [_download(request_id, "Run (JSON)", what="run", format="json")]
    if sae_id is not None:
        tables = [
            ("Rows", "rows", view.row_query(sae_id)),
            ("Top features", "top-features", view.top_query(sae_id)),
        ]
        links += [
            _download(request_id, f"{name} ({label})", what=what, format=form, **_given(query))
            for name, what, query in tables
            for label, form in (("CSV", "csv"), ("Parquet", "parquet"))
        ]
    return dmc.Group(links, gap="md")


def _download(request_id: str, label: str, **parameters: Any) -> html.A:
    address = f"/api/v1/playground/activations/{request_id}/download"
    return html.A(label, href=f"{address}?{urlencode(parameters)}", download="")


def _given(query: RowQuery | TopQuery) -> dict[str, Any]:
    """What the view chose, as parameters of an address."""
    chosen = query.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return {k: str(v).lower() if isinstance(v, bool) else v for k, v in chosen.items()}


def _live() -> html.Div:
    stop = dmc.Button(
        "Stop", id=Panel.STOP, variant="default", leftSection=icon("stop", 16), size="sm"
    )
    strip = TokenStrip(
        id=Panel.LIVE, tokens=[], special=[], segments=0, logprobs=[], streaming=True,
        showSpecial=True, label="Text written so far",
    )  # fmt: skip
    body = section("Writing", [html.Div(id=Panel.PROGRESS), strip],
                   actions=stop)  # fmt: skip
    return html.Div(body, id=Panel.LIVE_SECTION, style=_HIDDEN)


def _result(view: View) -> list[Any]:
    features = dmc.Stack(
        [
            section("Strongest features", html.Div(id=Panel.BARS_BOX)),
            section("Features by token", html.Div(id=Panel.HEATMAP_BOX)),
            section("Pinned feature by position", html.Div(id=Panel.DELTAS_BOX)),
            section("Activations", [_row_filters(view), _rows()]),
        ],
        id=Panel.FEATURES,
        style=_HIDDEN,
    )
    tokens = section(
        "Tokens",
        [_controls(view), html.Div(_empty_strip(), id=Panel.STRIP_BOX), html.Div(id=Panel.PINNED)],
    )
    return [tokens, features, section("Download", html.Div(id=Panel.DOWNLOADS))]


def _rows() -> Any:
    """The grid, sortable by what the server sorts; its filters stand above it."""
    grid = rows_grid(Panel.ROWS)
    grid.columnDefs = [
        {**column, "filter": False, "sortable": column["field"] in get_args(RowSort)}
        for column in grid.columnDefs
    ]
    return grid


def _empty_strip() -> TokenStrip:
    return TokenStrip(id=Panel.STRIP, tokens=[], special=[], segments=0, label="Tokens")


def _controls(view: View) -> Any:
    segment = dmc.SegmentedControl(
        id=choose("segment"),
        data=[
            {"label": "All", "value": "all"},
            {"label": "Prompt", "value": "prompt"},
            {"label": "Output", "value": "output"},
        ],
        value=view.segment or "all",
        size="sm",
        **{"aria-label": "Positions that count"},
    )
    special = dmc.Switch(
        id=Panel.SHOW_SPECIAL, label="Special tokens", checked=bool(view.special), size="sm"
    )
    return dmc.Group([html.Div(id=Panel.SAE_CHOICE), segment, special], gap="md", mb="sm")


def _row_filters(view: View) -> Any:
    fields = [
        ("row_feature", "Feature", view.row_feature, 0, None),
        ("row_from", "From token", view.row_from, 0, None),
        ("row_to", "To token", view.row_to, 0, None),
        ("row_rank", "Rank at most", view.row_rank, 1, 200),
    ]
    inputs = [
        dmc.NumberInput(
            id=choose(name), label=label, value="" if value is None else value, min=least,
            max=most, allowDecimal=False, debounce=400, size="sm", w=120, hideControls=True,
        )
        for name, label, value, least, most in fields
    ]  # fmt: skip
    total = dmc.Text(id=Panel.ROWS_TOTAL, size="sm", className="as-muted as-num")
    return dmc.Group([*inputs, total], gap="sm", align="end", mb="sm")
