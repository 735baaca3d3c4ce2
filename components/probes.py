"""A feature on somebody's own text, and the texts that are kept as its probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dash_mantine_components as dmc
from dash import html

from components.amounts import UNKNOWN, number_text, share_text
from components.example_lines import ExampleLines
from components.feedback import empty_state
from components.icons import icon
from components.tables import Column, table
from components.token_text import readable, visible
from services.types.features import Bounds, TestedText, TestedToken
from services.types.probes import Probe, ProbeReport

_CHARS = 160  # of a probe's text in the table


def tested_view(tested: TestedText, known_max: float | None, id: str) -> list[Any]:
    """The tokens, coloured up to the largest activation that is known of the feature."""
    top = max(abs(known_max or 0.0), abs(tested.max))
    line = {
        "position": 0,
        "at": -1 if tested.argmax is None else tested.argmax,
        "tokens": [_shown(token) for token in tested.tokens],
        "ids": [token.token_id for token in tested.tokens],
        "values": [0 if t.is_special else float(f"{t.value:.4g}") for t in tested.tokens],
        "special": [int(token.is_special) for token in tested.tokens],
        "shown": "",
        "note": "",
    }
    return [
        dmc.Text(_largest(tested), fw=600),
        dmc.Text(_scale(tested, known_max), size="sm", className="as-muted"),
        ExampleLines(id=id, lines=[line], max=top, mode="text", chips=[], label="Tested text"),
        dmc.Text(_how(tested), size="sm", className="as-muted"),
    ]


def _shown(token: TestedToken) -> str:
    """As in examples: one that ends within a character is named only where something is at it."""
    return token.piece or (token.text if token.value else "")


def _largest(tested: TestedText) -> str:
    if tested.argmax is None:
        return "It does not fire on this text."
    token = visible(tested.tokens[tested.argmax].text)
    return f"Largest activation {number_text(tested.max)}, at token {tested.argmax}: {token}"


def _scale(tested: TestedText, known_max: float | None) -> str:
    if not known_max:
        return "No corpus says yet how large its activations become."
    if tested.argmax is None:
        return f"Its largest activation in the corpus is {number_text(known_max)}."
    share = share_text(abs(tested.max / known_max))
    return f"{share} of the largest in the corpus, {number_text(known_max)}: the end of the scale."


def _how(tested: TestedText) -> str:
    front = "BOS in front" if tested.has_bos else "no BOS"
    frame = "in the model's chat template" if tested.has_template else "no chat template"
    return f"Read with {front}, {frame}. Special tokens do not count."


def probes_view(report: ProbeReport, remove: Callable[[str], dict[str, Any]]) -> Any:
    """Precision and recall, and the probes that they are made of."""
    if not report.probes:
        text = "Test a text and keep it: what the feature should fire on, and what it should not."
        return empty_state("No probes yet", text)
    columns = [
        Column("Text"), Column("Expected"), Column("Largest", number=True), Column("Found"),
        Column("By"), Column("Remove"),
    ]  # fmt: skip
    rows = [_row(probe, report.threshold, remove) for probe in report.probes]
    return html.Div([probe_numbers(report), table("Probes", columns, rows, fold=True)])


def probe_numbers(report: ProbeReport) -> html.Dl:
    """How well the feature tells its probes apart, with what that is made of."""
    fires, should = report.fired + report.fired_wrongly, report.fired + report.missed
    left = len(report.probes) - report.n
    numbers = [
        ("Precision", _share(report.precision, report.precision_bounds, report.fired, fires)),
        ("Recall", _share(report.recall, report.recall_bounds, report.fired, should)),
        ("Probes", f"{report.n:,}" if not left else f"{report.n:,}, and {left:,} to be measured"),
    ]
    return html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in numbers],
        className="as-facts",
    )


def _share(share: float | None, bounds: Bounds | None, k: int, n: int) -> list[Any]:
    known = [f"{k:,} of {n:,}"]
    if bounds is not None:
        known.append(f"95 %: {share_text(bounds.low)} to {share_text(bounds.high)}")
    note = html.Span(" · ".join(known), className="as-muted as-small as-block")
    return [UNKNOWN if share is None else share_text(share), note]


def _row(probe: Probe, threshold: float, remove: Callable[[str], dict[str, Any]]) -> list[Any]:
    text = readable(probe.text)
    short = text if len(text) <= _CHARS else text[: _CHARS - 1] + "…"
    button = dmc.ActionIcon(
        icon("trash", 16), id=remove(probe.probe_id), variant="subtle", color="gray",
        **{"aria-label": f"Remove the probe {short[:40]}"},
    )  # fmt: skip
    return [
        html.Span(short, className="as-break", title=text[:2000]),
        "fires" if probe.should_fire else "stays silent",
        number_text(probe.measured_max),
        _found(probe, threshold),
        readable(probe.author),
        button,
    ]


def _found(probe: Probe, threshold: float) -> html.Span:
    """What the feature does on it, by word and icon; colour only repeats it."""
    if probe.measured_max is None:
        return _status("clock", "not measured", "quiet")
    if probe.is_stale:
        return _status("warning", "weights changed", "warn")
    fires = abs(probe.measured_max) > threshold
    word = "fires" if fires else "silent"
    right = fires == probe.should_fire
    return _status("check" if right else "cross", word if right else f"{word}: wrong",
                   "good" if right else "bad")  # fmt: skip


def _status(picture: str, word: str, tone: str) -> html.Span:
    return html.Span([icon(picture, 14), word], className=f"as-status as-{tone}")
