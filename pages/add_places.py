"""The two forms that add SAEs from a place: look what is there, choose, add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import MATCH, Input, Output, State, ctx, dcc, html, set_props
from dash.exceptions import PreventUpdate

from components.feedback import empty_state
from components.icons import icon
from components.offers import candidate_choice, candidate_problems
from pages import clientside
from pages.callbacks import CallbackSet
from pages.context import services
from pages.ids import Add, Task, place
from pages.typed import Place, filled_in, folder, repository
from services.errors import ActiscopeError, InvalidArgument
from services.registry.requests import AddSaes, LookRequest
from services.types import Candidate

callbacks = CallbackSet()


def repository_form() -> dmc.Stack:
    """Adds from a repository of the hub."""
    repo = dmc.TextInput(
        id=place("where", "huggingface"), label="Repository", placeholder="owner/name",
        style={"flex": "2 1 220px"},
    )  # fmt: skip
    revision = dmc.TextInput(
        id=place("revision", "huggingface"), label="Revision (optional)", placeholder="main",
        style={"flex": "1 1 120px"},
    )  # fmt: skip
    return _form("huggingface", [repo, revision])


def folder_form() -> dmc.Stack:
    """Adds from a folder or file of this machine."""
    folders = ", ".join(str(folder) for folder in services().settings.open_folders)
    path = dmc.TextInput(
        id=place("where", "local"), label="Path", placeholder="/path/to/sae",
        description=f"On the machine on which Actiscope runs, below {folders}",
        style={"flex": "1 1 260px"},
    )  # fmt: skip
    revision = html.Div(
        dmc.TextInput(id=place("revision", "local"), **{"aria-label": "Revision"}),
        style={"display": "none"},
    )
    return _form("local", [path, revision])


def _form(source: Place, fields: list[Any]) -> dmc.Stack:
    look = dmc.Button(
        "Look", id=place("look", source), variant="default", leftSection=icon("search", 16)
    )
    return dmc.Stack(
        [
            dcc.Store(id=place("asked", source)),
            dcc.Store(id=place("looked", source)),
            dmc.Group([*fields, look], align="end"),
            html.Div(id=place("found", source)),
        ]
    )


@callbacks.on(
    Output(place("found", MATCH), "children"),
    Output(place("looked", MATCH), "data"),
    Input(place("asked", MATCH), "data"),
    State(place("where", MATCH), "value"),
    State(place("revision", MATCH), "value"),
    State(place("look", MATCH), "id"),
    running=[(Output(place("look", MATCH), "loading"), True, False)],
    errors_in=Add.ERROR,
)
def look(asked: Any, where: Any, revision: Any, button: Any) -> tuple[Any, Any]:
    """What there is to add at the place."""
    if not asked or not isinstance(button, dict):
        raise PreventUpdate
    source: Place = "local" if button.get("source") == "local" else "huggingface"
    try:
        request = _request(source, where, revision)
        found = services().registry.look(LookRequest.parse(request))
    except ActiscopeError:  # what was found elsewhere is not what the field names now
        set_props(place("found", source), {"children": None})
        set_props(place("looked", source), {"data": None})
        raise
    usable = [one.path for one in found if one.problem is None]
    return _found(source, found), {"request": request, "paths": usable}


def _request(source: Place, where: Any, revision: Any) -> dict[str, Any]:
    if source == "local":
        return {"source": source, "path": folder(where)}
    return {"source": source, "repo_id": repository(where), **filled_in(revision=revision)}


def _found(source: Place, found: Sequence[Candidate]) -> Any:
    usable = [one for one in found if one.problem is None]
    if not usable:
        nothing = empty_state("No SAE that can be added", "Look at another place.")
        return dmc.Stack([candidate_problems(found), nothing])
    hook = dmc.TextInput(
        id=place("hook", source), label="Hook point (for those that do not say theirs)",
        placeholder="blocks.12.hook_resid_post", w=320, maw="100%",
    )  # fmt: skip
    needs_hook = any("hook_name" in one.needs for one in usable)
    add = dmc.Button("Add", id=place("add", source), leftSection=icon("plus", 16))
    return dmc.Stack(
        [
            candidate_choice(place("choice", source), usable),
            html.Div(hook, style={} if needs_hook else {"display": "none"}),
            html.Div(add),
            candidate_problems(found),
        ]
    )


@callbacks.on(
    Output(Task.ID, "data", allow_duplicate=True),
    Input(place("add", "huggingface"), "n_clicks", allow_optional=True),
    Input(place("add", "local"), "n_clicks", allow_optional=True),
    State(place("looked", "huggingface"), "data"),
    State(place("looked", "local"), "data"),
    State(place("choice", "huggingface"), "value", allow_optional=True),
    State(place("choice", "local"), "value", allow_optional=True),
    State(place("hook", "huggingface"), "value", allow_optional=True),
    State(place("hook", "local"), "value", allow_optional=True),
    State(Add.MODEL, "value"),
    errors_in=Add.ERROR,
)
def add(*given: Any) -> str:
    """Add the chosen ones of the place."""
    pressed = ctx.triggered_id
    source = pressed.get("source") if isinstance(pressed, dict) else None
    at = 1 if source == "local" else 0
    clicks, looked, chosen, hook_name = (given[i + at] for i in (0, 2, 4, 6))
    if not clicks or not isinstance(looked, dict):
        raise PreventUpdate
    if not isinstance(chosen, list) or not chosen:
        raise InvalidArgument("nothing is chosen: tick at least one SAE")
    paths = [] if chosen == looked.get("paths") else chosen
    optional = filled_in(model_id=given[-1], hook_name=hook_name)
    asked = {**_request_of(looked), "paths": paths, **optional}
    return services().registry.add_saes(AddSaes.parse(asked)).task_id


def _request_of(looked: dict[str, Any]) -> dict[str, Any]:
    request = looked.get("request")
    if not isinstance(request, dict):
        raise PreventUpdate
    return request


callbacks.clientside(
    clientside.ENTERED,
    Output(place("asked", MATCH), "data"),
    Input(place("look", MATCH), "n_clicks"),
    Input(place("where", MATCH), "n_submit"),
)
