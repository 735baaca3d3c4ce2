"""The models of this server: what they are and take, loaded and unloaded, added and removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, set_props
from dash.exceptions import PreventUpdate

from components.amounts import bytes_text
from components.entries import problem_text
from components.feedback import empty_state, loading
from components.icons import icon
from components.models import memory_line, model_card, model_facts
from components.saes import sae_table
from components.shell import page, section
from pages import clientside
from pages.callbacks import CallbackSet
from pages.context import services
from pages.entry_actions import entry_dialog, model_buttons
from pages.ids import Entry, Models, Task, models_field
from pages.registry_filters import EntryName, ModelFilters
from pages.saes import add_button
from pages.task_panel import task_panel
from pages.typed import filled_in, folder, repository
from services.errors import ActiscopeError
from services.lm.memory import sae_bytes
from services.registry.requests import AddModel, SaeQuery
from services.types import ModelCard

callbacks = CallbackSet()

PATH = "/models"


def layout(**query: Any) -> html.Div:
    """The page of all models, or of the one that the query string names."""
    name = EntryName.parse(query).id
    filters = ModelFilters.parse(query)
    deleted = dmc.Switch(
        id=models_field("deleted"), label="Deleted ones too", checked=bool(filters.deleted)
    )
    body = [
        dcc.Store(id=Models.ID, data=name),
        dcc.Store(id=Models.VIEW, data=filters.as_data()),
        *(dcc.Store(id=id) for id in (Models.SINK, Models.ASKED_REPO, Models.ASKED_FOLDER)),
        *task_panel(query),
        *entry_dialog(),
        html.Div(id=Models.ERROR),
        dmc.Stack(loading(), id=Models.CONTENT),
        html.Div(_add_form(), style={"display": "none"} if name else {}),
    ]
    actions = dcc.Link("All models", href=PATH) if name else deleted
    return page(f"Model {name}" if name else "Models", body, actions=[actions])


def _add_form() -> Any:
    hub = dmc.Group(
        [
            dmc.TextInput(
                id=Models.REPO, label="Hugging Face repository", placeholder="owner/name",
                style={"flex": "2 1 220px"},
            ),
            dmc.TextInput(
                id=Models.REVISION, label="Revision (optional)", placeholder="main",
                style={"flex": "1 1 120px"},
            ),
            dmc.Button("Add from the hub", id=Models.ADD_REPO),
        ],
        align="end",
    )  # fmt: skip
    local = dmc.Group(
        [
            dmc.TextInput(
                id=Models.FOLDER, label="Folder of the machine on which Actiscope runs",
                placeholder="/path/to/checkpoint", style={"flex": "1 1 260px"},
            ),
            dmc.Button("Add folder", id=Models.ADD_FOLDER),
        ],
        align="end",
    )  # fmt: skip
    return section(
        "Add a model",
        dmc.Stack([offline_note(), hub, local, html.Div(id=Models.ADD_ERROR)]),
        note="Safetensors weights only; no code of a repository is ever run.",
    )


def offline_note() -> Any:
    """Says that nothing can be downloaded, where that is so."""
    if not services().registry.is_offline:
        return None
    return dmc.Alert(
        "Actiscope runs offline and downloads nothing: the catalogue can be searched, and what is "
        "in a folder of this machine can be added. Unset ACTISCOPE_OFFLINE (or HF_HUB_OFFLINE) "
        "and restart to download.",
        title="Offline", color="gray", variant="light", icon=icon("info", 18),
        className="as-warning",
    )  # fmt: skip


@callbacks.on(
    Output(Models.CONTENT, "children"),
    Input(Models.ID, "data"),
    Input(Models.VIEW, "data"),
    Input(Task.ENDED, "data"),
    Input(Entry.CHANGED, "data"),
    prevent_initial_call=False,
    errors_in=Models.ERROR,
)
def show(model_id: Any, filter_data: Any, _ended: Any, _changed: Any) -> Any:
    """The models, or everything of one."""
    name = EntryName.parse({"id": model_id}).id
    try:
        if name is not None:
            return _detail(services().registry.model(name))
        with_deleted = bool(ModelFilters.parse(filter_data).deleted)
        return _list(services().registry.models(include_deleted=with_deleted))
    except ActiscopeError:
        set_props(Models.CONTENT, {"children": None})  # the error says what is the matter
        raise


def _list(cards: Sequence[ModelCard]) -> Any:
    if not cards:
        return empty_state("No models", "Add one below.", icon_name="models")
    items = [html.Li(model_card(card, model_buttons(card))) for card in cards]
    return [_memory(cards), html.Ul(items, className="as-cards", **{"aria-label": "Models"})]


def _memory(cards: Sequence[ModelCard]) -> Any:
    models = [card for card in cards if card.is_resident]
    saes = [card.info for card in services().registry.saes() if card.is_resident]
    if not models and not saes:
        return dmc.Text("Nothing is loaded.", className="as-muted")
    used = sum(card.memory_bytes for card in models) + sum(map(sae_bytes, saes))
    names = [card.info.model_id for card in models]
    names += [f"{len(saes):,} SAE{'s' * (len(saes) != 1)}"] * bool(saes)
    text = (
        f"Loaded: {', '.join(names)}, about {bytes_text(used)} of "
        f"{bytes_text(cards[0].budget_bytes)} for models and SAEs. "
        "What was used longest ago makes room for what is asked for."
    )
    return dmc.Text(text, className="as-muted")


def _detail(card: ModelCard) -> list[Any]:
    facts = model_facts(card, services().settings.hub_endpoint)
    head = section(
        "Facts",
        dmc.Stack([problem_text(card), facts, memory_line(card)]),
        actions=model_buttons(card),
    )
    saes = services().registry.saes(SaeQuery(model_id=card.info.model_id))
    if not saes:
        nothing = empty_state("No SAE for it yet", "Add one.", add_button(), icon_name="saes")
        return [head, section("SAEs that fit", nothing)]
    return [head, section("SAEs that fit", sae_table(saes), actions=add_button())]


@callbacks.on(
    Output(Task.ID, "data", allow_duplicate=True),
    Input(Models.ASKED_REPO, "data"),
    State(Models.REPO, "value"),
    State(Models.REVISION, "value"),
    running=[(Output(Models.ADD_REPO, "loading"), True, False)],
    errors_in=Models.ADD_ERROR,
)
def add_from_hub(asked: Any, repo_id: Any, revision: Any) -> str:
    """Download a model and register it."""
    if not asked:
        raise PreventUpdate
    named = {"repo_id": repository(repo_id), **filled_in(revision=revision)}
    request = AddModel.parse({"source": "huggingface", **named})
    return services().registry.add_model(request).task_id


@callbacks.on(
    Output(Task.ID, "data", allow_duplicate=True),
    Input(Models.ASKED_FOLDER, "data"),
    State(Models.FOLDER, "value"),
    running=[(Output(Models.ADD_FOLDER, "loading"), True, False)],
    errors_in=Models.ADD_ERROR,
)
def add_folder(asked: Any, path: Any) -> str:
    """Register a folder where it lies."""
    if not asked:
        raise PreventUpdate
    request = AddModel.parse({"source": "local", "path": folder(path)})
    return services().registry.add_model(request).task_id


callbacks.clientside(
    clientside.FILTERS,
    Output(Models.VIEW, "data"),
    Input(models_field(), "checked"),
    State(Models.VIEW, "data"),
)
callbacks.clientside(
    clientside.mirror_fields(PATH, ModelFilters.model_fields),
    Output(Models.SINK, "data"),
    Input(Models.VIEW, "data"),
)
for store, button, field in (
    (Models.ASKED_REPO, Models.ADD_REPO, Models.REPO),
    (Models.ASKED_FOLDER, Models.ADD_FOLDER, Models.FOLDER),
):
    callbacks.clientside(
        clientside.ENTERED,
        Output(store, "data"),
        Input(button, "n_clicks"),
        Input(field, "n_submit"),
    )
