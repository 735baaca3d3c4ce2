"""The forms of the page that adds a corpus: where from, and how what is there is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import html

from components.amounts import bytes_text
from components.corpora import value_text
from components.icons import icon
from components.shell import section
from components.tables import Column, table
from components.uploads import Upload
from pages.context import services
from pages.corpus_ids import AddCorpora, SourceState, corpus_option, source_field
from services.types import SourcePreview

_FORMATS = {
    "jsonl": "JSON Lines: one object per line",
    "csv": "CSV or TSV with a head line",
    "parquet": "Parquet",
    "text": "Plain text",
}
_KEPT = ("string", "int64", "float64", "bool")  # what a column of the metadata may hold
_SHOWN_ROWS, _CELL_CHARS = 8, 160


def upload_form() -> Any:
    """A file of the user's machine."""
    most = services().settings.max_upload_mb * 10**6
    return Upload(
        id=AddCorpora.UPLOAD,
        url="/api/v1/corpora/uploads",
        label="Choose a file",
        hint=f"or drop it here: up to {bytes_text(most)}, kept for a day until it is added",
        maxBytes=most,
    )


def path_form(view: SourceState) -> dmc.Group:
    """A file or folder of the machine on which the server runs."""
    folders = ", ".join(str(folder) for folder in services().settings.open_folders)
    path = dmc.TextInput(
        id=source_field("path"), label="File or folder", value=view.path or "",
        placeholder="/path/to/texts.jsonl", style={"flex": "3 1 260px"},
        description=f"On the machine on which Actiscope runs, below {folders}",
    )  # fmt: skip
    formats = [{"value": value, "label": label} for value, label in _FORMATS.items()]
    read_as = dmc.Select(
        id=source_field("format"), label="Read as", data=formats, value=view.format,
        placeholder="what its name says", clearable=True, style={"flex": "1 1 180px"},
        clearButtonProps={"aria-label": "As its name says"},
    )  # fmt: skip
    return dmc.Group([path, read_as, _look(AddCorpora.LOOK_PATH)], align="end")


def dataset_form(view: SourceState) -> dmc.Stack:
    """A dataset of the hub."""
    if services().registry.is_offline:
        note = (
            "Actiscope runs offline and downloads nothing; a dataset that was saved to a folder of "
            "this machine can be added by its path. Unset ACTISCOPE_OFFLINE (or HF_HUB_OFFLINE) "
            "and restart to download."
        )
        alert = dmc.Alert(
            note, title="Offline", color="gray", variant="light", icon=icon("info", 18),
            className="as-warning",
        )  # fmt: skip
        return dmc.Stack([alert, _dataset_fields(view)])
    return dmc.Stack(_dataset_fields(view))


def _dataset_fields(view: SourceState) -> dmc.Group:
    fields = [
        _text("repo", "Dataset", "owner/name", view.repo, "2 1 200px"),
        _text("config", "Configuration (optional)", "default", view.config, "1 1 150px"),
        _text("split", "Split", "train", view.split, "1 1 110px"),
        _text("revision", "Revision (optional)", "main", view.revision, "1 1 130px"),
        dmc.NumberInput(
            id=source_field("most"), label="At most documents", value=view.most or "", min=1,
            allowDecimal=False, placeholder="all", style={"flex": "1 1 130px"},
        ),
    ]  # fmt: skip
    return dmc.Group([*fields, _look(AddCorpora.LOOK_HUB)], align="end")


def _text(name: str, label: str, example: str, value: str | None, flex: str) -> dmc.TextInput:
    return dmc.TextInput(
        id=source_field(name), label=label, placeholder=example, value=value or "",
        style={"flex": flex},
    )  # fmt: skip


def _look(id: str) -> dmc.Button:
    return dmc.Button("Look", id=id, variant="default", leftSection=icon("search", 16))


def found_form(found: SourcePreview) -> Any:
    """What is in the source, and how it becomes a corpus."""
    size = "" if found.size_bytes is None else f", {bytes_text(found.size_bytes)}"
    note = f"{found.file}{size}, read as {_name_of(found.format)}. The first rows:"
    add = dmc.Button("Add corpus", id=AddCorpora.ADD, leftSection=icon("plus", 16))
    body = [
        _first_rows(found),
        dmc.Group(_options(found), align="start", mt="md", mb="md", gap="md"),
        _on_error(),
        dmc.Group(add, mt="md"),
    ]
    return section("What is in it", body, note=note)


def _name_of(format: str) -> str:
    names = {"jsonl": "JSON Lines", "csv": "CSV", "parquet": "Parquet", "text": "plain text"}
    return names.get(format, format)


def _first_rows(found: SourcePreview) -> html.Div:
    columns = [Column(f"{name} ({kind})") for name, kind in found.columns.items()]
    rows = [[_cell(row, name) for name in found.columns] for row in found.rows[:_SHOWN_ROWS]]
    return html.Div(table("First rows", columns, rows), className="as-cells")


def _cell(row: Mapping[str, Any], name: str) -> html.Span:
    value = row.get(name)
    text = value_text(value)
    short = text if len(text) <= _CELL_CHARS else text[: _CELL_CHARS - 1] + "…"
    return html.Span(short, className="as-break")


def _options(found: SourcePreview) -> list[Any]:
    texts = [name for name, kind in found.columns.items() if kind in ("string", "mixed")]
    chosen = "text" if "text" in texts else found.suggested_text
    name = dmc.TextInput(
        id=corpus_option("name"), label="Name of the corpus (optional)",
        placeholder="as the file is called", style={"flex": "1 1 220px"},
    )  # fmt: skip
    third = _separator() if found.format == "text" else _metadata(found, chosen)
    return [name, _text_column(texts or [*found.columns], chosen), third]


def _text_column(names: list[str], chosen: str | None) -> dmc.Select:
    return dmc.Select(
        id=corpus_option("text_column"), label="Text", data=names, value=chosen,
        description="The column that is read by the model", allowDeselect=False,
        inputWrapperOrder=["label", "input", "description"], style={"flex": "1 1 180px"},
    )  # fmt: skip


def _metadata(found: SourcePreview, text: str | None) -> dmc.MultiSelect:
    data = [name for name, kind in found.columns.items() if kind in _KEPT]
    chosen = [name for name in data if name != text]
    return dmc.MultiSelect(
        id=corpus_option("metadata"), label="Metadata", data=data, value=chosen,
        description="Kept with each document; features can be broken down by it",
        inputWrapperOrder=["label", "input", "description"], style={"flex": "2 1 260px"},
    )  # fmt: skip


def _separator() -> dmc.Select:
    data = [
        {"value": "file", "label": "Each file is one document"},
        {"value": "line", "label": "Each line is one document"},
        {"value": "blank_line", "label": "Documents are separated by blank lines"},
    ]
    return dmc.Select(
        id=corpus_option("document_separator"), label="Documents", data=data, value="file",
        allowDeselect=False, style={"flex": "2 1 280px"},
    )  # fmt: skip


def _on_error() -> dmc.RadioGroup:
    choices = [
        dmc.Radio("Stop, and say where it is", value="stop"),
        dmc.Radio("Leave it out, count it, and show it with the corpus", value="skip"),
    ]
    return dmc.RadioGroup(
        dmc.Stack(choices, gap="xs", mt="xs"), id=corpus_option("on_error"), value="stop",
        label="A line that cannot be read",
    )  # fmt: skip
