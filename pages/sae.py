"""One SAE: what it is, what was measured of it, who used it, what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, set_props

from components.amounts import runs_text
from components.entries import listed, problem_text
from components.extractions import new_button
from components.feedback import code_block, empty_state, loading
from components.figures import graph
from components.ids import Shell
from components.preflight_figures import preflight_figures
from components.saes import card_badge, neuronpedia, sae_facts
from components.shell import page, section
from components.theme import Scheme
from components.verdicts import (
    conditions_list,
    findings_list,
    history_table,
    metrics_table,
    verdict_summary,
)
from pages.callbacks import CallbackSet
from pages.context import services
from pages.entry_actions import entry_dialog, sae_buttons
from pages.entry_code import as_json, sae_code
from pages.ids import Entry, Sae, Task
from pages.outcome import play_button
from pages.registry_filters import EntryName
from pages.task_panel import task_panel
from services.errors import ActiscopeError
from services.types import EntryState, PreflightReport, SaeCard

callbacks = CallbackSet()

PATH = "/sae"


def layout(**query: Any) -> html.Div:
    """The page of the SAE that the query string names."""
    name = EntryName.parse(query).id
    nothing = empty_state("No SAE named", "Choose one from the list.", _back(), icon_name="saes")
    body = [
        dcc.Store(id=Sae.ID, data=name),
        *task_panel(query),
        *entry_dialog(),
        html.Div(id=Sae.ERROR),
        dmc.Stack(loading() if name else nothing, id=Sae.CONTENT),
    ]
    return page(f"SAE {name}" if name else "SAE", body, actions=[_back()])


def title(**_query: Any) -> str:
    """The title of the browser's window."""
    return "SAE · Actiscope"


def _back() -> Any:
    return dcc.Link("All SAEs", href="/saes")


@callbacks.on(
    Output(Sae.CONTENT, "children"),
    Input(Sae.ID, "data"),
    Input(Task.ENDED, "data"),
    Input(Entry.CHANGED, "data"),
    State(Shell.SCHEME, "computedColorScheme"),
    prevent_initial_call=False,
    errors_in=Sae.ERROR,
)
def show(sae_id: Any, _ended: Any, _changed: Any, scheme: Any) -> Any:
    """Everything of the SAE."""
    name = EntryName.parse({"id": sae_id}).id
    if name is None:
        return empty_state("No SAE named", "Choose one from the list.", _back(), icon_name="saes")
    try:
        card = services().registry.sae(name)
    except ActiscopeError:
        set_props(Sae.CONTENT, {"children": None})  # the error says what is the matter
        raise
    return _content(card, "dark" if scheme == "dark" else "light")


def _content(card: SaeCard, scheme: Scheme) -> list[Any]:
    registry = services().registry
    report, history = card.preflight, registry.preflights(card.info.sae_id)
    facts = sae_facts(card, services().settings.hub_endpoint)
    measured = _measured(report, scheme) if report else []
    parts = [
        _verdict(card),
        *measured,
        section("History", history_table(history)) if len(history) > 1 else None,
        section("Facts", facts),
        _runs(card),
        _texts(card),
    ]
    return [part for part in parts if part is not None]


def _verdict(card: SaeCard) -> Any:
    info = card.info
    is_here = any(model.model_id == info.model_id for model in services().models)
    ready = card.state is EntryState.READY
    usable = ready and is_here
    links = [
        play_button(card) if usable else None,
        new_button("Extract features", sae=info.sae_id) if usable else None,
        dcc.Link("Its extractions", href=listed("/extractions", sae=info.sae_id)),
        neuronpedia(info),
    ]
    parts = [
        None if ready else card_badge(card),
        problem_text(card),
        None if usable else _no_model(card, is_here),
        verdict_summary(card.preflight, stale=card.is_stale) if ready else None,
        findings_list(card.preflight.findings) if ready and card.preflight else None,
        dmc.Group([link for link in links if link is not None], gap="md"),
    ]
    buttons = sae_buttons(card, can_measure=is_here)
    body = dmc.Stack([part for part in parts if part is not None], gap="md")
    return section("Verdict", body, actions=buttons)


def _no_model(card: SaeCard, is_here: bool) -> Any:
    if is_here:
        return None
    text = f"Its model {card.info.model_id} is not on this server, so it cannot be measured or run."
    link = dcc.Link("Add the model", href="/models")
    return html.P([text, " ", link], className="as-break")


def _measured(report: PreflightReport, scheme: Scheme) -> list[Any]:
    figures = [
        section(name, graph(f"sae-figure-{i}", figure, label=label))
        for i, (name, label, figure) in enumerate(preflight_figures(report, scheme))
    ]
    return [
        html.Div(figures, className="as-columns") if figures else None,
        section("Measured", metrics_table(report)),
        section("Measured on", conditions_list(report)),
    ]


def _runs(card: SaeCard) -> Any:
    if not card.runs:
        return section("Runs", dmc.Text("No stored run used it yet.", className="as-muted"))
    words = f"{runs_text(card.runs)} stored run{'s' * (card.runs != 1)} used it"
    return section("Runs", dcc.Link(words, href=listed("/runs", sae=card.info.sae_id)))


def _texts(card: SaeCard) -> Any:
    parts: Sequence[tuple[str, str, str]] = [
        ("config", "Config", _config(card)),
        *sae_code(card, services().settings.base_url),
    ]
    tabs = [dmc.TabsTab(label, value=key) for key, label, _ in parts]
    panels = [
        dmc.TabsPanel(code_block(text, id=f"sae-code-{key}", label=label), value=key, pt="sm")
        for key, label, text in parts
    ]
    return section("Config and code", dmc.Tabs([dmc.TabsList(tabs), *panels], value="config"))


def _config(card: SaeCard) -> str:
    """Its `cfg.json`, or why there is none: nothing else on the page depends on it."""
    try:
        return as_json(services().registry.sae_config(card.info.sae_id))
    except ActiscopeError as error:
        return error.message
