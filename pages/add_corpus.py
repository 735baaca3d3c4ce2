"""Adding a corpus: a file that is sent, one on the server, or a dataset; looked at, then read."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, dcc, html, set_props
from dash.exceptions import PreventUpdate

from components.feedback import loading
from components.shell import page, section
from pages import clientside, clientside_jobs
from pages.add_corpus_forms import dataset_form, found_form, path_form, upload_form
from pages.callbacks import CallbackSet
from pages.context import services
from pages.corpus_ids import AddCorpora, SourceState, corpus_option, source_field
from pages.job_ids import Job, JobName
from pages.job_panel import job_panel
from pages.typed import filled_in, folder, repository
from services.corpus.requests import AddCorpus, SourceRequest
from services.errors import ActiscopeError

callbacks = CallbackSet()

PATH = "/corpora/add"
_HIDDEN = {"display": "none"}


def layout(**query: Any) -> html.Div:
    """The page; the query string names the source and the job to follow."""
    view = SourceState.parse(query)
    stores = (AddCorpora.SINK, AddCorpora.ASKED_PATH, AddCorpora.ASKED_HUB)
    body = [
        dcc.Store(id=AddCorpora.VIEW, data=view.as_data()),
        *(dcc.Store(id=id) for id in stores),
        *job_panel(JobName.parse(query).job),
        section("Where from", _tabs(view)),
        html.Div(id=AddCorpora.ERROR),
        html.Div(loading(label="Looking"), id=AddCorpora.BUSY, style=_HIDDEN),
        html.Div(id=AddCorpora.FOUND),
        html.Div(id=AddCorpora.ADD_ERROR),
    ]
    back = dcc.Link("All corpora", href="/corpora")
    intro = "Text, JSON Lines, CSV or Parquet, also compressed. The source is read once and copied."
    return page("Add corpus", body, actions=[back], intro=intro)


def _tabs(view: SourceState) -> dmc.Tabs:
    tabs = [
        ("upload", "Upload", upload_form()),
        ("path", "Server path", path_form(view)),
        ("dataset", "Hugging Face", dataset_form(view)),
    ]
    heads = dmc.TabsList([dmc.TabsTab(label, value=key) for key, label, _ in tabs])
    panels = [dmc.TabsPanel(form, value=key, pt="md") for key, _, form in tabs]
    return dmc.Tabs([heads, *panels], id=AddCorpora.TABS, value=view.source or "upload")


@callbacks.on(
    Output(AddCorpora.FOUND, "children"),
    Input(AddCorpora.VIEW, "data"),
    running=[
        (Output(AddCorpora.BUSY, "style"), {}, _HIDDEN),
        (Output(AddCorpora.LOOK_PATH, "loading"), True, False),
        (Output(AddCorpora.LOOK_HUB, "loading"), True, False),
    ],
    prevent_initial_call=False,
    errors_in=AddCorpora.ERROR,
)
def look(view_data: Any) -> Any:
    """What there is in the source."""
    view = SourceState.parse(view_data)
    is_asked = isinstance(view_data, dict) and "n" in view_data  # not by the address alone
    if view.source is None or not (is_asked or view.is_named):
        return None
    try:
        request = SourceRequest.parse(_source(view))
        return found_form(services().corpora.look(request))
    except ActiscopeError:  # what was found elsewhere is not what the fields name now
        set_props(AddCorpora.FOUND, {"children": None})
        raise


def _source(view: SourceState) -> dict[str, Any]:
    """The source as services name it.

    Raises:
        InvalidArgument: nothing was typed, or something that is no repository.
    """
    read_as = {"format": view.format} if view.format else {}
    if view.source == "dataset":
        named = {"repo_id": repository(view.repo), "max_documents": view.most}
        optional = filled_in(config=view.config, split=view.split, revision=view.revision)
        return {"dataset": named | optional}
    if view.source == "path":
        return {"path": folder(view.path)} | read_as
    if view.upload is None:
        raise PreventUpdate
    return {"upload_id": view.upload} | read_as


@callbacks.on(
    Output(Job.ID, "data"),
    Input(AddCorpora.ADD, "n_clicks", allow_optional=True),
    State(AddCorpora.VIEW, "data"),
    State(corpus_option(ALL), "value"),
    State(corpus_option(ALL), "id"),
    running=[(Output(AddCorpora.ADD, "loading"), True, False)],
    errors_in=AddCorpora.ADD_ERROR,
)
def add(clicks: Any, view_data: Any, values: Any, ids: Any) -> str:
    """Make a corpus of what was looked at, in a job that the page follows."""
    view = SourceState.parse(view_data)
    if not clicks or view.source is None:
        raise PreventUpdate
    options = _options(values, ids)
    return services().corpora.add(AddCorpus.parse(_source(view) | options)).job_id


def _options(values: Any, ids: Any) -> dict[str, Any]:
    """How the source is to be read; what was left open is left to the service."""
    if not isinstance(values, list) or not isinstance(ids, list):
        raise PreventUpdate
    names = [id.get("name") if isinstance(id, dict) else None for id in ids]
    given = {name: v for name, v in zip(names, values, strict=False) if isinstance(name, str)}
    return {name: value for name, value in given.items() if value not in (None, "")}


callbacks.clientside(
    clientside_jobs.SOURCE,
    Output(AddCorpora.VIEW, "data"),
    Input(AddCorpora.UPLOAD, "uploaded"),
    Input(AddCorpora.ASKED_PATH, "data"),
    Input(AddCorpora.ASKED_HUB, "data"),
    State(source_field(), "value"),
    State(source_field(), "id"),
)
callbacks.clientside(
    clientside.mirror_fields(PATH, SourceState.model_fields),
    Output(AddCorpora.SINK, "data"),
    Input(AddCorpora.VIEW, "data"),
)
for store, button, field in (
    (AddCorpora.ASKED_PATH, AddCorpora.LOOK_PATH, "path"),
    (AddCorpora.ASKED_HUB, AddCorpora.LOOK_HUB, "repo"),
):
    callbacks.clientside(
        clientside.ENTERED,
        Output(store, "data"),
        Input(button, "n_clicks"),
        Input(source_field(field), "n_submit"),
    )
