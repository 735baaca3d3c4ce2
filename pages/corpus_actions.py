"""What can be done with a corpus: delete it, with its files or without, and restore it.

The same buttons, dialog and callbacks serve the list and the page of one.
"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from components import ids
from components.icons import icon
from pages import asking
from pages.asking import say
from pages.callbacks import CallbackSet
from pages.context import services
from pages.corpus_ids import CorpusAct, CorpusName, corpus_act
from services.errors import Unsupported
from services.types import CorpusInfo

callbacks = CallbackSet()

_DIALOG = asking.Dialog(
    CorpusAct.MODAL, CorpusAct.QUESTION, CorpusAct.MODAL_ERROR, CorpusAct.DOOMED,
    CorpusAct.CHANGED, CorpusAct.ERROR,
)  # fmt: skip
_TEXT = (
    "It is offered no more. Its documents and the extractions over it stay, and it can be restored."
)


def corpus_buttons(info: CorpusInfo, *, size: str = "sm") -> Any:
    """What can be done with the corpus in its state."""
    if info.deleted_at is None:
        return _button(info, "delete", "Delete", "trash", size)
    again = _button(info, "restore", "Restore", "rerun", size)
    return dmc.Group([again, _button(info, "delete", "Remove files", "trash", size)], gap="xs")


def _button(info: CorpusInfo, do: str, label: str, picture: str, size: str) -> dmc.Button:
    return dmc.Button(
        label, id=corpus_act(info.corpus_id, do), variant="default", size=size,
        leftSection=icon(picture, 16), **{"aria-label": f"{label} {info.name}"},
    )  # fmt: skip


def corpus_dialog() -> list[Any]:
    """The question before deleting, and what the actions need on a page."""
    label = "Remove its files from the disk as well: this cannot be undone"
    files = dmc.Switch(id=CorpusAct.WITH_FILES, label=label, checked=False, mt="md")
    return asking.dialog(_DIALOG, title="Delete", yes="Delete", more=[files])


@callbacks.on(
    Output(CorpusAct.CHANGED, "data"),
    Output(CorpusAct.DOOMED, "data"),
    Input(corpus_act(), "n_clicks"),
    errors_in=CorpusAct.ERROR,
)
def act(_clicks: Any) -> tuple[Any, Any]:
    """Restore at once; deleting asks first."""
    pressed, clicks = ctx.triggered_id, (ctx.triggered or [{}])[0].get("value")
    if not isinstance(pressed, dict) or not clicks:
        raise PreventUpdate
    name, do = CorpusName.parse({"id": pressed.get("corpus")}).id, pressed.get("do")
    if name is None or do not in ("delete", "restore"):
        raise PreventUpdate
    if do == "delete":
        return no_update, {"id": name, "n": clicks}
    info = services().corpora.restore(name)
    say("Restored", info.name)
    return f"{do} {name} {clicks}", no_update


@callbacks.on(
    Output(CorpusAct.MODAL, "opened"),
    Output(CorpusAct.MODAL, "title"),
    Output(CorpusAct.QUESTION, "children"),
    Output(CorpusAct.WITH_FILES, "checked"),
    Output(CorpusAct.MODAL_ERROR, "children"),
    Input(CorpusAct.DOOMED, "data"),
    errors_in=CorpusAct.ERROR,
)
def ask(doomed: Any) -> tuple[Any, ...]:
    """Say what deleting means."""
    name = _named(doomed)
    try:
        info = services().corpora.get(name)
    except Unsupported as error:  # it cannot be read: all that is left is to remove its files
        return True, f"Delete corpus {name}?", dmc.Text(error.message), True, None
    is_deleted = info.deleted_at is not None
    return True, f"Delete corpus {info.name}?", dmc.Text(_TEXT), is_deleted, None


@callbacks.on(
    Output(CorpusAct.CHANGED, "data", allow_duplicate=True),
    Output(CorpusAct.MODAL, "opened", allow_duplicate=True),
    Output(CorpusAct.DOOMED, "data", allow_duplicate=True),
    Input(ids.confirm(CorpusAct.MODAL), "n_clicks"),
    State(CorpusAct.DOOMED, "data"),
    State(CorpusAct.WITH_FILES, "checked"),
    running=[(Output(ids.confirm(CorpusAct.MODAL), "loading"), True, False)],
    errors_in=CorpusAct.MODAL_ERROR,
)
def delete(clicks: Any, doomed: Any, with_files: Any) -> tuple[Any, ...]:
    """Delete the corpus that the dialog asked about."""
    if not clicks:
        raise PreventUpdate
    name, hard = _named(doomed), with_files is True
    services().corpora.remove(name, hard=hard)
    say("Deleted", f"The corpus {name} is {'gone' if hard else 'offered no more'}.")
    return f"{'remove' if hard else 'delete'} {name} {clicks}", False, None


def _named(doomed: Any) -> str:
    name = CorpusName.parse(doomed).id
    if name is None:
        raise PreventUpdate
    return name


asking.close(callbacks, _DIALOG)
