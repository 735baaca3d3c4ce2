"""The feature on a text of one's own, and the texts that are kept as its probes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from components.feedback import loading
from components.ids import Shell
from components.probes import probes_view, tested_view
from components.shell import section
from pages.author import author_of
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds
from pages.feature_place import view_at
from pages.feature_state import Place
from pages.label_form import changed, clicked
from pages.probe_ids import Probe, keep, remove_probe
from services.errors import ActiscopeError, InvalidArgument
from services.probes.requests import AddProbe, ProbeQuery, TestText

callbacks = CallbackSet()

_HIDDEN = {"display": "none"}
_TOKENS = "probe-tokens"


def section_for() -> Component:
    """The section on the page of a feature; its probes fill in once the place is known."""
    body = [
        dcc.Store(id=Probe.TESTED),
        dcc.Store(id=Probe.CHANGED),
        *_test_form(),
        html.Div(id=Probe.ERROR),
        html.Div(id=Probe.RESULT, **{"aria-live": "polite"}),
        _keep_buttons(),
        html.H3("Probes", className="as-option-title", style={"marginTop": 20}),
        _probe_controls(),
        html.Div(id=Probe.LIST_ERROR),
        html.Div(loading(), id=Probe.LIST),
    ]
    return section("Test a text", body, id=Probe.SECTION)


def _test_form() -> list[Any]:
    text = dmc.Textarea(
        id=Probe.TEXT, label="Your text", autosize=True, minRows=2, maxRows=12, value="",
        placeholder="Where does it fire?",
    )  # fmt: skip
    options = [
        {"value": "document", "label": "As a document"},
        {"value": "prompt", "label": "As a prompt"},
    ]
    read_as = dmc.SegmentedControl(
        id=Probe.READ_AS, data=options, value="document", size="sm",
        **{"aria-label": "How the model reads the text"},
    )  # fmt: skip
    test = dmc.Button("Test", id=Probe.TEST)
    return [text, dmc.Group([test, read_as], my="sm")]


def _keep_buttons() -> html.Div:
    buttons = [
        dmc.Button("It should fire here", id=keep("fire"), variant="default", size="compact-sm"),
        dmc.Button("It should not", id=keep("silent"), variant="default", size="compact-sm"),
        html.Span(id=Probe.SAID, role="status", className="as-muted as-small"),
    ]
    label = dmc.Text("Keep as a probe, read as a document:", size="sm")
    return html.Div(
        dmc.Group([label, *buttons], gap="xs", mt="xs"), id=Probe.KEEP_BOX, style=_HIDDEN
    )


def _probe_controls() -> dmc.Group:
    threshold = dmc.NumberInput(
        id=Probe.THRESHOLD, label="Fires above", value=0, min=0, debounce=400, w=120, size="xs",
        hideControls=True,
    )  # fmt: skip
    measure = dmc.Button("Measure again", id=Probe.MEASURE, variant="default", size="xs")
    return dmc.Group([threshold, measure], align="end", mb="sm")


@callbacks.on(
    Output(Probe.RESULT, "children"),
    Output(Probe.TESTED, "data"),
    Output(Probe.KEEP_BOX, "style"),
    Output(Probe.SAID, "children"),
    Input(Probe.TEST, "n_clicks"),
    State(Probe.TEXT, "value"),
    State(Probe.READ_AS, "value"),
    State(FeatureIds.PLACE, "data"),
    running=[(Output(Probe.TEST, "loading"), True, False)],
    errors_in=Probe.ERROR,
)
def test(clicks: Any, text: Any, read_as: Any, place: Any) -> tuple[Any, Any, Any, str]:
    """The feature on the text, once the engine has time for it."""
    if not clicks:
        raise PreventUpdate
    if not text:
        raise InvalidArgument("write a text to test first")
    asked = TestText.parse({**_named(place), "text": text or "", "read_as": read_as})
    tested = services().probes.test(asked)
    return tested_view(tested, _known_max(place), _TOKENS), tested.text, {}, ""


def _known_max(place: Any) -> float | None:
    """The feature's largest activation in the store that the page shows."""
    with suppress(ActiscopeError):  # the other sections say what is wrong with it
        view = view_at(place)
        return None if view is None or view.known is None else view.known.max
    return None


@callbacks.on(
    Output(Probe.CHANGED, "data"),
    Output(Probe.SAID, "children", allow_duplicate=True),
    Input(keep(), "n_clicks"),
    State(Probe.TESTED, "data"),
    State(FeatureIds.PLACE, "data"),
    State(Shell.AUTHOR, "data"),
    errors_in=Probe.ERROR,
)
def keep_text(_clicks: Any, text: Any, place: Any, author: Any) -> tuple[int, str]:
    """The tested text becomes a probe."""
    should_fire = clicked()["should"] == "fire"
    given = {"text": text, "should_fire": should_fire, "author": author_of(author)}
    services().probes.add(AddProbe.parse({**_named(place), **given}))
    return changed(), "Kept."


@callbacks.on(
    Output(Probe.CHANGED, "data", allow_duplicate=True),
    Input(remove_probe(), "n_clicks"),
    State(FeatureIds.PLACE, "data"),
    errors_in=Probe.LIST_ERROR,
)
def remove(_clicks: Any, place: Any) -> int:
    """The probe goes."""
    named = _named(place)
    probe_id = str(clicked()["probe"])
    services().probes.remove(named["sae_id"], named["feature_id"], probe_id)
    return changed()


@callbacks.on(
    Output(Probe.CHANGED, "data", allow_duplicate=True),
    Input(Probe.MEASURE, "n_clicks"),
    State(FeatureIds.PLACE, "data"),
    running=[(Output(Probe.MEASURE, "loading"), True, False)],
    errors_in=Probe.LIST_ERROR,
)
def measure(clicks: Any, place: Any) -> int:
    """All probes again, with the weights that are there now."""
    if not clicks:
        raise PreventUpdate
    services().probes.measure(ProbeQuery.parse(_named(place)))
    return changed()


@callbacks.on(
    Output(Probe.LIST, "children"),
    Output(Probe.MEASURE, "disabled"),
    Input(FeatureIds.PLACE, "data"),
    Input(Probe.CHANGED, "data"),
    Input(Probe.THRESHOLD, "value"),
    prevent_initial_call=False,
    errors_in=Probe.LIST_ERROR,
)
def show(place: Any, _changed: Any, threshold: Any) -> tuple[Any, bool]:
    """The probes, judged at the threshold."""
    named = _named(place)
    query = ProbeQuery.parse({**named, "threshold": threshold if threshold else 0})
    report = services().probes.report(query)
    if not report.probes:
        return probes_view(report, remove_probe), True
    return [probes_view(report, remove_probe), _download(query)], False


def _download(query: ProbeQuery) -> html.A:
    address = f"/api/v1/saes/{quote(query.sae_id)}/features/{query.feature_id}/probes/download"
    parameters = urlencode({"threshold": query.threshold})
    return html.A("Probes (CSV)", href=f"{address}?{parameters}", download="")


def _named(place: Any) -> dict[str, Any]:
    named = Place.parse(place).named
    if named is None:
        raise PreventUpdate
    return {"sae_id": named[0], "feature_id": named[1]}
