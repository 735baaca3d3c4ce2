"""Labels as files: one that is looked at and then imported, and all of them to take away."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import dash_mantine_components as dmc
from dash import Input, Output, State, html, set_props
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from components.feedback import loading
from components.ids import Shell
from components.label_status import import_facts
from components.shell import section
from components.uploads import Upload
from pages.author import author_of
from pages.callbacks import CallbackSet
from pages.context import services
from pages.label_form import changed, clicked
from pages.label_ids import LabelFiles, LabelsPage, undo_import
from pages.labels_state import LabelsState
from pages.url_state import UrlState
from services.corpus.requests import UploadId
from services.errors import ActiscopeError, TooLarge
from services.types.labels import ImportReport

callbacks = CallbackSet()

_MOST_BYTES = 256 * 10**6  # it is read into memory
_FORMATS = (
    ("csv", "CSV"),
    ("json", "JSON"),
    ("neuronpedia", "Neuronpedia"),
    ("saelens", "SAELens"),
    ("splatnlp", "Consolidated JSON"),
)


class Sent(UrlState):
    """The file that the browser has sent."""

    upload_id: UploadId | None = None


def files_part(state: LabelsState) -> Component:
    """Import at the left, export at the right."""
    upload = Upload(
        id=LabelFiles.FILE, url="/api/v1/corpora/uploads", label="Choose a file of labels",
        hint="or drop it here. Its format is recognised; nothing is imported before you say so.",
        maxBytes=_MOST_BYTES,
    )  # fmt: skip
    note = "CSV and JSON of this program, Neuronpedia explanations, SAELens, consolidated JSON."
    body = [
        upload,
        html.Div(id=LabelFiles.ERROR),
        html.Div(loading(2, label="Looking"), id=LabelFiles.BUSY, style={"display": "none"}),
        html.Div(id=LabelFiles.LOOKED),
        html.Div(id=LabelFiles.DONE, role="status"),
    ]
    return html.Div(
        [section("Import", body, note=note), section("Export", _exports(str(state.sae)))],
        className="as-two",
    )


def _exports(sae_id: str) -> html.Ul:
    address = f"/api/v1/saes/{quote(sae_id)}/labels/export"
    links = [
        html.Li(html.A(name, href=f"{address}?format={form}", download=""))
        for form, name in _FORMATS
    ]
    return html.Ul(links, className="as-name-list", **{"aria-label": "Formats"})


@callbacks.on(
    Output(LabelFiles.LOOKED, "children"),
    Output(LabelFiles.DONE, "children"),
    Input(LabelFiles.FILE, "uploaded"),
    State(LabelsPage.VIEW, "data"),
    running=[(Output(LabelFiles.BUSY, "style"), {}, {"display": "none"})],
    errors_in=LabelFiles.ERROR,
)
def look(uploaded: Any, view_data: Any) -> tuple[Any, Any]:
    """What an import of the file would do."""
    try:
        report = services().labels.look(_content(uploaded), LabelsState.parse(view_data).sae)
    except ActiscopeError:
        for id in (LabelFiles.LOOKED, LabelFiles.DONE):  # they are of the file before
            set_props(id, {"children": None})
        raise
    return [import_facts(report), _confirm(report)], None


def _content(uploaded: Any) -> bytes:
    upload_id = Sent.parse(uploaded).upload_id
    if upload_id is None:
        raise PreventUpdate
    place = services().corpora.uploaded(upload_id)
    size = place.stat().st_size
    if size > _MOST_BYTES:
        raise TooLarge(f"the file has {size:,} bytes; up to {_MOST_BYTES:,} are read as labels")
    return place.read_bytes()


def _confirm(report: ImportReport) -> Any:
    """The button, and what is to become of what cannot be read."""
    if not report.n_added:
        return dmc.Text("There is nothing new in it.", className="as-muted")
    n = "1 label" if report.n_added == 1 else f"{report.n_added:,} labels"
    button = dmc.Button(f"Import {n}", id=LabelFiles.IMPORT)
    if not report.n_skipped:
        return button
    left = f"What cannot be used is left out ({report.n_skipped:,})."
    return dmc.Group([button, dmc.Text(left, size="sm", className="as-warn")], gap="md")


@callbacks.on(
    Output(LabelsPage.CHANGED, "data", allow_duplicate=True),
    Output(LabelFiles.LOOKED, "children", allow_duplicate=True),
    Output(LabelFiles.DONE, "children", allow_duplicate=True),
    Input(LabelFiles.IMPORT, "n_clicks", allow_optional=True),
    State(LabelFiles.FILE, "uploaded"),
    State(LabelsPage.VIEW, "data"),
    State(Shell.AUTHOR, "data"),
    running=[(Output(LabelFiles.IMPORT, "loading"), True, False)],
    errors_in=LabelFiles.ERROR,
)
def bring_in(clicks: Any, uploaded: Any, view_data: Any, author: Any) -> tuple[int, None, Any]:
    """Import what was looked at; what could not be used was counted and shown."""
    if not clicks:
        raise PreventUpdate
    sae_id = LabelsState.parse(view_data).sae
    report = services().labels.import_(_content(uploaded), sae_id, author_of(author), "skip")
    undo = dmc.Button(
        "Undo the import", id=undo_import(str(report.batch_id)), variant="default", size="sm"
    )
    done = [import_facts(report), undo if report.batch_id else None]
    return changed(), None, done


@callbacks.on(
    Output(LabelsPage.CHANGED, "data", allow_duplicate=True),
    Output(LabelFiles.DONE, "children", allow_duplicate=True),
    Input(undo_import(), "n_clicks"),
    State(Shell.AUTHOR, "data"),
    errors_in=LabelFiles.ERROR,
)
def take_back(_clicks: Any, author: Any) -> tuple[int, str]:
    """Undo the import."""
    report = services().labels.undo(str(clicked()["batch"]), author=author_of(author))
    features = "1 feature" if report.n == 1 else f"{report.n:,} features"
    return changed(), f"The import was taken back at {features}."
