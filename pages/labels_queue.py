"""Label next: one feature after another, each with its evidence and the form beside it."""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from components.feedback import empty_state, loading
from components.icons import icon
from components.ids import Shell
from components.shell import section
from pages import clientside
from pages.author import author_of
from pages.callbacks import CallbackSet
from pages.context import services
from pages.label_form import changed, clicked, given
from pages.label_ids import LabelsPage, Queue, label_field, labels_field
from pages.labels_queue_item import AT, queue_evidence, queue_form
from pages.labels_state import LabelsState
from pages.url_state import UrlState
from services.errors import NotFound
from services.labels.requests import AddLabel
from services.runs.queries import FeatureId
from services.runs.request import ModelId

callbacks = CallbackSet()

_ORDERS: Final = [
    {"value": "n", "label": "Most activations"},
    {"value": "density", "label": "Densest"},
    {"value": "max", "label": "Largest activation"},
    {"value": "random", "label": "By chance"},
    {"value": "disagreement", "label": "Labels differ"},
    {"value": "family", "label": "One of each family"},
]
_HIDDEN = {"display": "none"}
_ORDERING = ("sae", "store", "order", "seed", "labelled")


class Shown(UrlState):
    """The feature that is shown, and of which order it is the next one."""

    sae: ModelId | None = None
    feature: FeatureId | None = None
    asked: str | None = None


def queue_part(state: LabelsState) -> Component:
    """The order above; the feature below it comes by itself."""
    order = dmc.Select(
        id=labels_field("order"), data=_ORDERS, value=_order(state), allowDeselect=False, w=190,
        **{"aria-label": "Order of the queue"},
    )  # fmt: skip
    labelled = dmc.Switch(
        id=labels_field("labelled"), label="Labelled ones too", checked=bool(state.labelled)
    )
    body = [
        dcc.Store(id=Queue.ITEM),
        dcc.Store(id=Queue.KEYS),
        html.Div(id=Queue.ERROR),
        html.Div(
            [
                html.Div(loading(5), id=Queue.EVIDENCE),
                html.Div(
                    [html.Div(id=Queue.BOX), *_buttons()],
                    id=Queue.FORM,
                    className="as-aside",
                    style=_HIDDEN,
                ),
            ],
            className="as-two as-queue",
        ),
    ]
    return section("Label next", body, actions=[labelled, order])


def _order(state: LabelsState) -> str:
    """What was chosen; else by activations, where there are any."""
    if state.order is not None:
        return state.order
    try:
        services().extractions.readable(str(state.sae))
    except NotFound:
        return "random"
    return "n"


def _buttons() -> list[Component]:
    save = dmc.Button("Save and next", id=Queue.SAVE, leftSection=icon("check", 16))
    later = dmc.Button("Later", id=Queue.LATER, variant="default")
    star = html.Button(
        [icon("star", 16), "Star"], id=Queue.STAR, type="button",
        className="as-button as-button-quiet as-toggle", **{"aria-pressed": "false"},
    )  # fmt: skip
    reason = dmc.TextInput(
        id=Queue.REASON, placeholder="Why it cannot be labelled", w=220, size="sm",
        **{"aria-label": "Reason to leave the feature out"},
    )  # fmt: skip
    skip = dmc.Button("Leave out", id=Queue.SKIP, variant="default", size="sm")
    keys = dmc.Group([dmc.Kbd("Ctrl"), "+", dmc.Kbd("Enter")], gap=4)
    return [
        dmc.Group([save, keys], gap="md", mt="md"),
        dmc.Group([star, later], gap="sm", mt="sm"),
        dmc.Group([reason, skip], gap="sm", mt="md"),
        html.Div(id=Queue.SAID, className="as-muted as-small as-queue-said", role="status"),
    ]


@callbacks.on(
    Output(Queue.ITEM, "data"),
    Output(Queue.EVIDENCE, "children"),
    Output(Queue.BOX, "children"),
    Output(Queue.FORM, "style"),
    Output(Queue.STAR, "aria-pressed"),
    Input(LabelsPage.VIEW, "data"),
    State(Queue.ITEM, "data"),
    State(labels_field("order"), "value"),
    prevent_initial_call=False,
    errors_in=Queue.ERROR,
)
def first(view_data: Any, item_data: Any, order: Any) -> tuple[Any, ...]:
    """The first feature of the order; nothing changes when only another tab was opened."""
    state = LabelsState.parse(view_data)
    state = state.model_copy(update={"order": state.order or order})
    asked = repr([getattr(state, name) for name in _ORDERING])
    if state.sae is None or Shown.parse(item_data).asked == asked:
        raise PreventUpdate
    return _next(state, None, asked)


def _next(state: LabelsState, after: int | None, asked: str | None) -> tuple[Any, ...]:
    """The feature behind `after`, as it is shown."""
    item = services().labels.next(state.queue(after))
    if item is None and after is not None:  # the end of the order: what was left for later
        item = services().labels.next(state.queue())
    if item is None:
        text = "Every feature of this order has a label or was left out."
        nothing = empty_state("Nothing is left to label", text, icon_name="check")
        return Shown(sae=state.sae, asked=asked).as_data(), nothing, None, _HIDDEN, "false"
    shown = Shown(sae=item.sae_id, feature=item.feature_id, asked=asked)
    pressed = "true" if item.marks.is_starred else "false"
    evidence = queue_evidence(item, state.store)
    return shown.as_data(), evidence, queue_form(item), {}, pressed


@callbacks.on(
    Output(Queue.ITEM, "data", allow_duplicate=True),
    Output(Queue.EVIDENCE, "children", allow_duplicate=True),
    Output(Queue.BOX, "children", allow_duplicate=True),
    Output(Queue.FORM, "style", allow_duplicate=True),
    Output(Queue.STAR, "aria-pressed", allow_duplicate=True),
    Output(Queue.REASON, "value"),
    Output(Queue.SAID, "children"),
    Output(LabelsPage.CHANGED, "data", allow_duplicate=True),
    Input(Queue.SAVE, "n_clicks"),
    Input(Queue.SKIP, "n_clicks"),
    Input(Queue.LATER, "n_clicks"),
    State(label_field(AT), "value"),
    State(label_field(AT), "id"),
    State(Queue.REASON, "value"),
    State(LabelsPage.VIEW, "data"),
    State(Queue.ITEM, "data"),
    State(labels_field("order"), "value"),
    State(Shell.AUTHOR, "data"),
    running=[(Output(Queue.SAVE, "loading"), True, False)],
    errors_in=Queue.ERROR,
)
def step(
    _save: Any, _skip: Any, _later: Any, values: Any, ids: Any, reason: Any,
    view_data: Any, item_data: Any, order: Any, author: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Label the feature, or leave it out, or for later; then the next one."""
    button, shown = clicked(), Shown.parse(item_data)
    if shown.sae is None or shown.feature is None:
        raise PreventUpdate
    if button == Queue.SAVE:
        said = _labelled(shown.sae, shown.feature, given(values, ids), author)
    elif button == Queue.SKIP:
        services().labels.skip(shown.sae, shown.feature, reason or "", author_of(author))
        said = f"#{shown.feature} is left out."
    else:
        said = f"#{shown.feature} stays in the queue."
    state = LabelsState.parse(view_data)
    state = state.model_copy(update={"order": state.order or order})
    return *_next(state, shown.feature, shown.asked), "", said, changed()


def _labelled(sae_id: str, feature: int, fields: dict[str, Any], author: Any) -> str:
    """Keep the label; in the queue it takes the place of the one that was chosen."""
    new = {
        **fields,
        "sae_id": sae_id,
        "feature_id": feature,
        "author": author_of(author),
        "choose": True,
    }
    return f"#{feature} is “{services().labels.add(AddLabel.parse(new)).text}”."


@callbacks.on(
    Output(Queue.STAR, "aria-pressed", allow_duplicate=True),
    Output(LabelsPage.CHANGED, "data", allow_duplicate=True),
    Input(Queue.STAR, "n_clicks"),
    State(Queue.STAR, "aria-pressed"),
    State(Queue.ITEM, "data"),
    State(Shell.AUTHOR, "data"),
    errors_in=Queue.ERROR,
)
def star(clicks: Any, pressed: Any, item_data: Any, author: Any) -> tuple[str, int]:
    """Star the feature, or take the star away."""
    shown = Shown.parse(item_data)
    if not clicks or shown.sae is None or shown.feature is None:
        raise PreventUpdate
    on = pressed != "true"
    services().labels.star(shown.sae, shown.feature, on, author_of(author))
    return "true" if on else "false", changed()


callbacks.clientside(
    clientside.KEYS,
    Output(Queue.KEYS, "data"),
    Input(Queue.FORM, "id"),
    State(Queue.SAVE, "id"),
    prevent_initial_call=False,
)
# In a window of its own: the form here may be half filled in.
callbacks.clientside(
    """
    (opened, item, view) => {
      if (opened && item && Number.isInteger(item.feature)) {
        const query = new URLSearchParams({at: opened.position});
        if (view && view.store) query.set('store', view.store);
        window.open(`/features/${encodeURI(item.sae)}/${item.feature}?${query}`);
      }
      return window.dash_clientside.no_update;
    }
    """,
    Output(Queue.KEYS, "data", allow_duplicate=True),
    Input(Queue.EXAMPLES, "opened", allow_optional=True),
    State(Queue.ITEM, "data"),
    State(LabelsPage.VIEW, "data"),
)
