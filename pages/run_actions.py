"""What can be done with a run, from its own page and from the list."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash.exceptions import PreventUpdate

from components.feedback import confirm_modal
from pages.context import services
from pages.view import View


def run_of(named: Any) -> str:
    """The run that a store or an id of the browser names under `run`; without one, no update."""
    run_id = View.parse(named).run
    if run_id is None:
        raise PreventUpdate
    return run_id


def delete_modal(name: str) -> dmc.Modal:
    """The question before a run is deleted."""
    return confirm_modal(
        name,
        title="Delete this run?",
        text="Its text, features and notes are removed for good.",
        confirm_label="Delete",
    )


def delete(clicks: Any, run_id: Any) -> str:
    """Remove the run once its deletion was confirmed; its id."""
    if not clicks:
        raise PreventUpdate
    run = run_of({"run": run_id})
    services().runs.delete(run)
    return run


def keep_notes(notes: Any, run_id: Any) -> str:
    """Store what was written beside the run; what to say about it."""
    if not isinstance(notes, str):
        raise PreventUpdate
    services().runs.set_notes(run_of({"run": run_id}), notes)
    return "Kept"
