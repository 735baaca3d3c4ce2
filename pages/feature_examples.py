"""Examples of a feature: all its activations, the chosen ones, in the chosen order."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, Patch, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from components.amounts import number_text
from components.example_lines import ExampleLines, line_of
from components.feedback import empty_state, loading
from components.shell import section
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds, lines_of, part, view_field
from pages.feature_place import asked_of, live_at
from pages.feature_state import EvidenceState
from services.evidence.requests import ExamplesQuery
from services.types.features import ExamplesPage, FeatureView

callbacks = CallbackSet()

_LIMIT = 20
_LINES = "examples"
_HIDDEN = {"display": "none"}
_ORDERS = ("strongest", "random", "weakest")
_WIDTHS = (5, 12, 25, 50, 100)


def section_for(state: EvidenceState) -> Any:
    """The choice above, the examples below it; they fill in once the place is known."""
    more = dmc.Button("More", id=FeatureIds.MORE, variant="default")
    place = html.Span(id=FeatureIds.EXAMPLES_PLACE, className="as-muted as-small", role="status")
    body = [
        html.Div(_choice(state), className="as-feature-choice"),
        html.Div(id=FeatureIds.EXAMPLES_ERROR),
        place,
        html.Div(loading(), id=FeatureIds.EXAMPLES, className="as-feature-part"),
        dcc.Store(id=FeatureIds.CURSOR),
        html.Div(more, id=_more_box(), style=_HIDDEN),
    ]
    return section("Examples", body, actions=_shape(state), id="examples")


def _more_box() -> str:
    return f"{FeatureIds.MORE}-box"


def _choice(state: EvidenceState) -> list[Any]:
    """Which examples."""
    order = dmc.Select(
        id=view_field("order"), value=state.order or "strongest", allowDeselect=False, w=130,
        data=[{"value": order, "label": order.capitalize()} for order in _ORDERS], label="Order",
        size="xs",
    )  # fmt: skip
    bounds = [
        dmc.NumberInput(
            id=view_field(name), value="" if value is None else value, label=label, size="xs", w=96,
            placeholder="any", debounce=500, hideControls=True,
        )
        for name, label, value in (("low", "From", state.low), ("high", "To below", state.high))
    ]  # fmt: skip
    buttons = [
        dmc.Button("Draw at random", id=FeatureIds.AGAIN, variant="default", size="xs"),
        dmc.Button("All examples", id=FeatureIds.RESET, variant="subtle", size="xs"),
    ]
    return [order, *bounds, *buttons]


def _shape(state: EvidenceState) -> list[Any]:
    """How they are shown."""
    width = dmc.Select(
        id=view_field("width"), value=str(state.width or 12), allowDeselect=False, size="xs", w=118,
        data=[{"value": str(n), "label": f"± {n} tokens"} for n in _widths(state)],
        **{"aria-label": "Tokens on each side of an activation"},
    )  # fmt: skip
    mode = dmc.SegmentedControl(
        id=view_field("mode"), value=state.mode or "lines", size="xs",
        data=[{"value": "lines", "label": "Aligned"}, {"value": "text", "label": "Text"}],
        **{"aria-label": "How examples are shown"},
    )  # fmt: skip
    return [width, mode]


def _widths(state: EvidenceState) -> list[int]:
    return sorted({*_WIDTHS, *([] if state.width is None else [state.width])})


@callbacks.on(
    Output(FeatureIds.EXAMPLES, "children"),
    Output(FeatureIds.EXAMPLES_PLACE, "children"),
    Output(FeatureIds.CURSOR, "data"),
    Output(_more_box(), "style"),
    Input(FeatureIds.PLACE, "data"),
    Input(part("examples"), "data"),
    prevent_initial_call=False,
    errors_in=FeatureIds.EXAMPLES_ERROR,
)
def show_examples(place: Any, state_data: Any) -> tuple[Any, ...]:
    """The first of the examples that are asked for."""
    view = live_at(place)
    if view is None:
        return None, "", None, _HIDDEN
    state = EvidenceState.parse(state_data)
    found = _found(view, state, None)
    said = _said(found.total, len(found.items), state)
    if not found.items:
        text = "No activation of this feature is in this range and these documents."
        return empty_state("No examples", text, icon_name="features"), said, None, _HIDDEN
    known = view.known
    assert known is not None
    lines = ExampleLines(
        id=lines_of(_LINES), lines=[line_of(item) for item in found.items],
        max=max(abs(known.max or 0.0), abs(known.min or 0.0)), mode=state.mode or "lines",
        label=f"Examples of feature {view.feature_id}",
        run={"sae": view.sae_id, "model": view.model_id, "feature": view.feature_id},
    )  # fmt: skip
    return lines, said, found.next_cursor, {} if found.next_cursor else _HIDDEN


def _found(view: FeatureView, state: EvidenceState, cursor: Any) -> ExamplesPage:
    chosen = {
        "low": state.low, "high": state.high, "order": state.order, "seed": state.seed,
        "width": state.width, "where": state.where, "cursor": cursor,
    }  # fmt: skip
    given = {name: value for name, value in chosen.items() if value is not None}
    return services().evidence.examples(ExamplesQuery.parse(asked_of(view, limit=_LIMIT, **given)))


def _said(total: int, shown: int, state: EvidenceState) -> str:
    """How many there are of which kind."""
    kinds = []
    if state.low is not None:
        kinds.append(f"from {number_text(state.low)}")
    if state.high is not None:
        kinds.append(f"below {number_text(state.high)}")
    if state.where is not None:
        kinds.append(f"where {state.meta} is {state.value}")
    which = f" {', '.join(kinds)}" if kinds else ""
    return f"{shown:,} of {total:,} activations{which}"


@callbacks.on(
    Output(lines_of(_LINES), "lines"),
    Output(FeatureIds.EXAMPLES_PLACE, "children", allow_duplicate=True),
    Output(FeatureIds.CURSOR, "data", allow_duplicate=True),
    Output(_more_box(), "style", allow_duplicate=True),
    Input(FeatureIds.MORE, "n_clicks"),
    State(FeatureIds.PLACE, "data"),
    State(part("examples"), "data"),
    State(FeatureIds.CURSOR, "data"),
    State(FeatureIds.EXAMPLES_PLACE, "children"),
    running=[(Output(FeatureIds.MORE, "loading"), True, False)],
    errors_in=FeatureIds.EXAMPLES_ERROR,
)
def show_more(clicks: Any, place: Any, state_data: Any, cursor: Any, said: Any) -> tuple[Any, ...]:
    """The next ones, below those that are there."""
    view = live_at(place)
    if not clicks or view is None or not isinstance(cursor, str):
        raise PreventUpdate
    state = EvidenceState.parse(state_data)
    found = _found(view, state, cursor)
    lines = Patch()
    lines.extend([line_of(item) for item in found.items])
    shown = _count(said) + len(found.items)
    style = no_update if found.next_cursor else _HIDDEN
    return lines, _said(found.total, shown, state), found.next_cursor, style


def _count(said: Any) -> int:
    """How many are shown by now, as it was said."""
    digits = str(said).split(" of ", 1)[0].replace(",", "")
    return int(digits) if digits.isdecimal() else 0
