"""Adding SAEs: found in the catalogue, in a repository or in a folder, then measured."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from components.catalogue_list import CatalogueList, list_props
from components.icons import icon
from components.shell import page, section
from pages import clientside
from pages.add_places import folder_form, repository_form
from pages.callbacks import CallbackSet
from pages.context import services
from pages.ids import Add, Task, place
from pages.models import offline_note
from pages.registry_filters import Adding
from pages.task_panel import task_panel
from pages.typed import filled_in, place_in, typed
from services.registry.requests import AddSaes
from services.types import TaskView

callbacks = CallbackSet()

PATH = "/saes/add"
_SHOWN = 20  # entries of the catalogue: more are found by another word, not by scrolling


def layout(**query: Any) -> html.Div:
    """The page; the query string names the source, the search and the task to follow."""
    view = Adding.parse(query)
    tabs = [
        ("catalogue", "Catalogue", _catalogue_form(view)),
        ("huggingface", "Hugging Face", repository_form()),
        ("local", "Folder or file", folder_form()),
    ]
    body = [
        dcc.Store(id=Add.VIEW, data=view.as_data()),
        dcc.Store(id=Add.SINK),
        dcc.Store(id=Add.ENTERED),
        offline_note(),
        html.Div(id=Add.ERROR),
        *task_panel(query),
        _under_way(query.get("task")),
        section("Where from", [_tabs(tabs, view), _model_choice()]),
    ]
    back = dcc.Link("All SAEs", href="/saes")
    intro = "It is downloaded, checked, converted once and measured with its model."
    return page("Add SAE", body, actions=[back], intro=intro)


def _tabs(tabs: list[tuple[str, str, Any]], view: Adding) -> dmc.Tabs:
    heads = dmc.TabsList([dmc.TabsTab(label, value=key) for key, label, _ in tabs])
    panels = [dmc.TabsPanel(form, value=key, pt="md") for key, _, form in tabs]
    return dmc.Tabs([heads, *panels], id=Add.TABS, value=view.source or "catalogue")


def _under_way(followed: Any) -> Any:
    """What others have started, to be followed here too."""
    tasks = [task for task in services().registry.tasks() if _is_other(task, followed)]
    if not tasks:
        return None
    links = [html.Li(dcc.Link(task.title, href=f"{PATH}?task={task.task_id}")) for task in tasks]
    return section("Also under way", html.Ul(links, className="as-plain-list"))


def _is_other(task: TaskView, followed: Any) -> bool:
    return task.kind == "add_saes" and not task.status.is_final and task.task_id != followed


def _catalogue_form(view: Adding) -> Any:
    search = dmc.TextInput(
        id=Add.SEARCH, label="Search all SAEs that sae-lens knows", value=view.q or "",
        placeholder="gemma-2-2b layer 12 16k", leftSection=icon("search", 16), size="md",
    )  # fmt: skip
    return dmc.Stack(
        [search, CatalogueList(id=Add.RESULTS, items=[], label="Entries of the catalogue")]
    )


def _model_choice() -> Any:
    names = [model.model_id for model in services().models]
    return dmc.Select(
        id=Add.MODEL, label="Use with model (optional)", data=names, clearable=True, mt="md", w=320,
        description="Without a choice: the model that the SAE names", placeholder="as the SAE says",
        clearButtonProps={"aria-label": "As the SAE says"}, maw="100%", searchable=True,
    )  # fmt: skip


@callbacks.on(
    *(Output(Add.RESULTS, prop) for prop in ("items", "note", "suggestion")),
    Input(Add.SEARCH, "value"),
    prevent_initial_call=False,
    errors_in=Add.ERROR,
)
def search(text: Any) -> tuple[Any, Any, Any]:
    """The best entries for what is typed, at each keystroke."""
    text = Adding.parse({"q": typed(text)}).q
    if text is None:
        return [], _HINT, None
    props = list_props(services().registry.search(text, limit=_SHOWN), text)
    enter = "" if props["items"] else _ENTER.get(place_in(text), "")
    return props["items"], props["note"] + enter, props["suggestion"]


_HINT = (
    "Type a model, a layer, a width, a hook or a release. The list is part of Actiscope: "
    "searching it needs no network. A folder or a repository (owner/name) and Enter: what is there."
)
_ENTER: dict[str | None, str] = {
    "local": " Press Enter to look into this folder.",
    "huggingface": " Press Enter to look into the repository of this name.",
}


@callbacks.on(
    Output(Add.TABS, "value"),
    *(
        Output(place(part, source), prop, allow_duplicate=True)
        for source in ("huggingface", "local")
        for part, prop in (("where", "value"), ("asked", "data"))
    ),
    Input(Add.ENTERED, "data"),
    State(Add.SEARCH, "value"),
    errors_in=Add.ERROR,
)
def enter(entered: Any, text: Any) -> tuple[Any, ...]:
    """Look into the folder or repository that was typed where the catalogue is searched."""
    text = Adding.parse({"q": typed(text)}).q
    source = place_in(text) if entered and text else None
    if source is None or (source != "local" and services().registry.search(text, limit=1).items):
        raise PreventUpdate
    nothing = (no_update, no_update)
    hub, local = (
        ((text, entered), nothing) if source == "huggingface" else (nothing, (text, entered))
    )
    return (source, *hub, *local)


@callbacks.on(
    Output(Task.ID, "data", allow_duplicate=True),
    Input(Add.RESULTS, "chosen"),
    State(Add.MODEL, "value"),
    errors_in=Add.ERROR,
)
def add_entry(chosen: Any, model_id: Any) -> str:
    """Add the entry of the catalogue whose button was pressed."""
    if not isinstance(chosen, dict):
        raise PreventUpdate
    entry = {"release": chosen.get("release"), "catalogue_ids": [chosen.get("sae")]}
    asked = {"source": "catalogue", **entry, **filled_in(model_id=model_id)}
    return services().registry.add_saes(AddSaes.parse(asked)).task_id


callbacks.clientside(
    """
    (source, text) => {
      const next = {};
      if (source && source !== 'catalogue') next.source = source;
      if (text) next.q = text;
      return next;
    }
    """,
    Output(Add.VIEW, "data"),
    Input(Add.TABS, "value"),
    Input(Add.SEARCH, "value"),
)
callbacks.clientside(
    clientside.mirror_fields(PATH, Adding.model_fields),
    Output(Add.SINK, "data"),
    Input(Add.VIEW, "data"),
)
callbacks.clientside(clientside.ENTERED, Output(Add.ENTERED, "data"), Input(Add.SEARCH, "n_submit"))
