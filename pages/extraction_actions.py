"""What can be done with an extraction: cancel, retry, remove.

The same buttons, dialog and callbacks serve the list and the page of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate

from components import ids
from components.icons import icon
from pages import asking
from pages.asking import say
from pages.callbacks import CallbackSet
from pages.context import services
from pages.extraction_ids import Act, act
from pages.extraction_state import ExtractionName
from services.types import ExtractionView, JobStatus

callbacks = CallbackSet()

# what is asked before it is done, and what its button says
_QUESTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "cancel": (
        "Cancel this extraction?",
        "It stops after the batch under way. All SAEs of its job stop with it. What is done is "
        "kept and can be read, and a retry goes on from there.",
    ),
    "remove": (
        "Remove this extraction?",
        "Its store is removed from the disk with every activation in it, for good. SAE and "
        "corpus stay.",
    ),
}
_DIALOG = asking.Dialog(Act.MODAL, Act.QUESTION, Act.MODAL_ERROR, Act.ASKED, Act.CHANGED, Act.ERROR)
_DONE = {"cancel": "Stops after this batch", "retry": "Goes on", "remove": "Removed"}


def buttons(view: ExtractionView) -> list[Any]:
    """What can be done with the extraction in its state."""
    if not view.status.is_final:
        return [_button(view, "cancel", "Cancel", "stop")]
    remove = _button(view, "remove", "Remove", "trash")
    if view.status is JobStatus.SUCCEEDED:
        return [remove]
    return [_button(view, "retry", "Retry", "rerun"), remove]


def _button(view: ExtractionView, do: str, label: str, picture: str) -> dmc.Button:
    return dmc.Button(
        label, id=act(view.extraction_id, do), variant="default", leftSection=icon(picture, 16),
        **{"aria-label": f"{label} the extraction of {view.sae_id} over {view.corpus_name}"},
    )  # fmt: skip


def dialog() -> list[Any]:
    """The question before something that cannot be taken back, and what the actions need."""
    return asking.dialog(_DIALOG, title="Extraction", yes="Yes")


@callbacks.on(
    Output(Act.CHANGED, "data"),
    Output(Act.ASKED, "data"),
    Input(act(), "n_clicks"),
    errors_in=Act.ERROR,
)
def pressed(_clicks: Any) -> tuple[Any, Any]:
    """Retry at once; ask before the rest."""
    button, clicks = ctx.triggered_id, (ctx.triggered or [{}])[0].get("value")
    if not isinstance(button, dict) or not clicks:
        raise PreventUpdate
    do, name = _named({"do": button.get("do"), "id": button.get("extraction")})
    if do != "retry":
        return no_update, {"do": do, "id": name}
    services().extractions.retry(name)
    say(_DONE[do], name)
    return _change(do, name, clicks), no_update


@callbacks.on(
    Output(Act.MODAL, "opened"),
    Output(Act.MODAL, "title"),
    Output(Act.QUESTION, "children"),
    Output(ids.confirm(Act.MODAL), "children"),
    Output(Act.MODAL_ERROR, "children"),
    Input(Act.ASKED, "data"),
    errors_in=Act.ERROR,
)
def ask(asked: Any) -> tuple[Any, ...]:
    """Say what the pressed button does."""
    do, name = _named(asked)
    title, text = _QUESTIONS[do]
    body = [dmc.Text(text), html.P(html.Code(name, className="as-break"), className="as-small")]
    return True, title, body, "Cancel it" if do == "cancel" else "Remove it", None


@callbacks.on(
    Output(Act.CHANGED, "data", allow_duplicate=True),
    Output(Act.MODAL, "opened", allow_duplicate=True),
    Output(Act.ASKED, "data", allow_duplicate=True),
    Input(ids.confirm(Act.MODAL), "n_clicks"),
    State(Act.ASKED, "data"),
    running=[(Output(ids.confirm(Act.MODAL), "loading"), True, False)],
    errors_in=Act.MODAL_ERROR,
)
def do_it(clicks: Any, asked: Any) -> tuple[Any, ...]:
    """Do what the dialog asked about."""
    if not clicks:
        raise PreventUpdate
    do, name = _named(asked)
    extractions = services().extractions
    (extractions.cancel if do == "cancel" else extractions.remove)(name)
    say(_DONE[do], name)
    return _change(do, name, clicks), False, None


def _named(asked: Any) -> tuple[str, str]:
    named = asked if isinstance(asked, dict) else {}
    name, do = ExtractionName.parse(named).id, named.get("do")
    if name is None or do not in _DONE:
        raise PreventUpdate
    return do, name


def _change(do: str, name: str, clicks: Any) -> dict[str, Any]:
    return {"do": do, "id": name, "n": clicks}


asking.close(callbacks, _DIALOG)
