"""The job that makes a UMAP: started from the map's page, watched, stopped."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from components.feedback import empty_state, loading
from components.jobs import job_href, job_progress
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_map_ids import Map
from pages.feature_map_state import MapState
from pages.label_form import changed
from services.maps.requests import MapQuery
from services.types import JobStatus, JobView

callbacks = CallbackSet()


def unmade(query: MapQuery, job: JobView | None) -> Any:
    """What would make the map; how far the job is that makes it."""
    if job is not None and not job.status.is_final:
        link = dcc.Link("The job", href=job_href(job.job_id))
        return html.Div([job_progress(job), dmc.Group([_cancel(), link], mt="sm")])
    services().decoders.require(query.sae_id)
    text = (
        "UMAP lays them out by their nearest directions: some seconds for thousands of features, "
    )
    text += "minutes for a hundred thousand. It is done once and kept."
    if job is not None and job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
        text = f"The last try {job.status}{': ' + job.error_message if job.error_message else ''}."
    return empty_state("This map was not made yet", text, _make(), icon_name="features")


def _make() -> Any:
    return dmc.Button("Make the map", id={"type": Map.MAKE, "index": 0})


def _cancel() -> Any:
    return dmc.Button("Cancel", id={"type": Map.CANCEL, "index": 0}, variant="default")


@callbacks.on(
    Output(Map.STATE, "children", allow_duplicate=True),
    Output(Map.TICK, "disabled", allow_duplicate=True),
    Output(Map.MADE, "data"),
    Input({"type": Map.MAKE, "index": ALL}, "n_clicks"),
    Input({"type": Map.CANCEL, "index": ALL}, "n_clicks"),
    Input(Map.TICK, "n_intervals"),
    State(Map.DRAWN, "data"),
    errors_in=Map.ERROR,
)
def make(start: Any, cancel: Any, _tick: Any, drawn: Any) -> tuple[Any, Any, Any]:
    """Start the job, stop it, or say how far it is; when it is done the points are drawn."""
    state, asked = MapState.parse(drawn), ctx.triggered_id
    if state.sae is None or state.method != "umap":
        return no_update, True, no_update  # another map is drawn meanwhile
    query, maps = state.map_query(state.sae), services().maps
    job = maps.making(query)
    if isinstance(asked, dict) and asked["type"] == Map.MAKE:
        if not any(start):
            raise PreventUpdate
        job = maps.start(query)
    elif isinstance(asked, dict) and job is not None:
        if not any(cancel):
            raise PreventUpdate
        job = services().jobs.cancel(job.job_id)
    if job is not None and job.status is JobStatus.SUCCEEDED:
        return loading(), True, changed()
    return unmade(query, job), job is None or job.status.is_final, no_update
