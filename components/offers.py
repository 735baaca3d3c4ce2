"""What could be added of a folder or repository."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import dash_mantine_components as dmc
from dash import html

from components.amounts import bytes_text, count_text
from components.icons import icon
from services.types import Candidate


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
