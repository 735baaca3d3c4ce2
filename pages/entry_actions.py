"""What can be done with a model or an SAE: load, measure, delete, restore.

The same buttons, dialog and callbacks serve every page that shows models or SAEs.
"""

from __future__ import annotations

from typing import Any, Literal

import dash_mantine_components as dmc
from dash import Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate

from components import ids
from components.icons import icon
from pages import asking
from pages.asking import say
from pages.callbacks import CallbackSet
from pages.context import services
from pages.ids import Entry, Task, entry_action
from pages.registry_filters import EntryName
from services.types import EntryState, ModelCard, SaeCard

callbacks = CallbackSet()

Kind = Literal["models", "saes"]
_DIALOG = asking.Dialog(
    Entry.MODAL, Entry.QUESTION, Entry.MODAL_ERROR, Entry.DOOMED, Entry.CHANGED, Entry.ERROR
)
_WHAT: dict[Kind, str] = {"models": "model", "saes": "SAE"}


def model_buttons(card: ModelCard) -> list[Any]:
    """What can be done with the model in its state."""
    name = card.info.model_id
    if card.state is EntryState.DELETED:
        return [_button("models", name, "restore", "Restore", "rerun")]
    buttons = [_button("models", name, "delete", "Delete", "trash")]
    if card.state is EntryState.READY and card.is_resident:
        buttons.insert(0, _button("models", name, "unload", "Unload", "stop"))
    elif card.state is EntryState.READY:
        buttons.insert(0, _button("models", name, "load", "Load", "memory", disabled=not card.fits))
    return buttons


def sae_buttons(card: SaeCard, *, can_measure: bool) -> list[Any]:
    """What can be done with the SAE in its state."""
    name = card.info.sae_id
    if card.state is EntryState.DELETED:
        return [_button("saes", name, "restore", "Restore", "rerun")]
    buttons = [_button("saes", name, "delete", "Delete", "trash")]
    if card.state is EntryState.READY and can_measure:
        label = "Measure again" if card.preflight else "Measure"
        buttons.insert(0, _button("saes", name, "measure", label, "gauge"))
    return buttons


def _button(
    kind: Kind, name: str, do: str, label: str, picture: str, *, disabled: bool = False
) -> dmc.Button:
    return dmc.Button(
        label, id=entry_action(kind, name, do), variant="default", leftSection=icon(picture, 16),
        disabled=disabled, **{"aria-label": f"{label} {name}"},
    )  # fmt: skip


def entry_dialog() -> list[Any]:
    """The question before deleting, and what the actions need on a page."""
    label = "Remove its files from the disk as well"
    files = dmc.Switch(id=Entry.WITH_FILES, label=label, checked=False, mt="md")
    return asking.dialog(_DIALOG, title="Delete", yes="Delete", more=[files])


@callbacks.on(
    Output(Task.ID, "data", allow_duplicate=True),
    Output(Entry.CHANGED, "data"),
    Output(Entry.DOOMED, "data"),
    Input(entry_action(), "n_clicks"),
    errors_in=Entry.ERROR,
)
def act(_clicks: Any) -> tuple[Any, Any, Any]:
    """Do what the pressed button says; deleting asks first."""
    pressed, clicks = ctx.triggered_id, (ctx.triggered or [{}])[0].get("value")
    if not isinstance(pressed, dict) or not clicks:
        raise PreventUpdate
    name, do = EntryName.parse({"id": pressed.get("entry")}).id, pressed.get("do")
    if name is None:
        raise PreventUpdate
    if do == "delete":
        return no_update, no_update, {"kind": pressed.get("kind"), "id": name}
    if do in ("load", "measure"):
        start = services().registry.load_model if do == "load" else services().registry.preflight
        return start(name).task_id, no_update, no_update
    say(_at_once(pressed.get("kind"), str(do), name), name)
    return no_update, f"{do} {name} {clicks}", no_update


def _at_once(kind: Any, do: str, name: str) -> str:
    registry = services().registry
    if do == "unload":
        registry.unload_model(name)
        return "Unloaded"
    if do == "restore" and kind in _WHAT:
        (registry.restore_model if kind == "models" else registry.restore_sae)(name)
        return "Restored"
    raise PreventUpdate


@callbacks.on(
    Output(Entry.MODAL, "opened"),
    Output(Entry.MODAL, "title"),
    Output(Entry.QUESTION, "children"),
    Output(Entry.WITH_FILES, "checked"),
    Output(Entry.MODAL_ERROR, "children"),
    Input(Entry.DOOMED, "data"),
    errors_in=Entry.ERROR,
)
def ask(doomed: Any) -> tuple[Any, ...]:
    """Say what deleting means, and what would miss the entry."""
    kind, name = _named(doomed)
    reasons = services().registry.dependents(kind, name)
    text = "It is offered no more. Its files and its runs stay, and it can be restored."
    missed = [html.Li(reason, className="as-break") for reason in reasons]
    body = [dmc.Text(text)]
    if missed:
        note = "Its files cannot be removed as long as these need them:"
        body += [dmc.Text(note, mt="md", size="sm"), html.Ul(missed, className="as-plain-list")]
    return True, f"Delete {_WHAT[kind]} {name}?", body, False, None


@callbacks.on(
    Output(Entry.CHANGED, "data", allow_duplicate=True),
    Output(Entry.MODAL, "opened", allow_duplicate=True),
    Output(Entry.DOOMED, "data", allow_duplicate=True),
    Input(ids.confirm(Entry.MODAL), "n_clicks"),
    State(Entry.DOOMED, "data"),
    State(Entry.WITH_FILES, "checked"),
    running=[(Output(ids.confirm(Entry.MODAL), "loading"), True, False)],
    errors_in=Entry.MODAL_ERROR,
)
def delete(clicks: Any, doomed: Any, with_files: Any) -> tuple[Any, ...]:
    """Delete what the dialog asked about."""
    kind, name = _named(doomed)
    if not clicks:
        raise PreventUpdate
    registry = services().registry
    remove = registry.delete_model if kind == "models" else registry.delete_sae
    remove(name, with_files=with_files is True)
    say("Deleted", f"The {_WHAT[kind]} {name} is offered no more.")
    return f"delete {name} {clicks}", False, None


def _named(doomed: Any) -> tuple[Kind, str]:
    named = doomed if isinstance(doomed, dict) else {}
    name = EntryName.parse(named).id
    for kind in _WHAT:
        if named.get("kind") == kind and name is not None:
            return kind, name
    raise PreventUpdate


asking.close(callbacks, _DIALOG)
