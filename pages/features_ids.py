"""The ids that the callbacks of the table of features name."""

from __future__ import annotations

from typing import Any

from dash import ALL


class Table:
    """The table and what stands around it."""

    BODY = "features-body"  # all of the page that depends on the address
    APPLY = "features-apply"  # a whole state to show instead: a saved view, another SAE, nothing
    VIEW = "features-view"  # what the address carries
    SINKS = tuple(f"features-sink-{i}" for i in range(5))  # of effects without a result
    ERROR = "features-error"
    SAE = "features-sae"
    BOUNDS = "features-bounds"  # the fields of least and greatest values
    ADD_BOUND = "features-add-bound"
    COLUMNS = "features-columns"  # which columns are shown
    GRID = "features-grid"
    NOTHING = "features-nothing"  # lies over the grid when nothing passes
    TOTAL = "features-total"
    FILTERED = "features-filtered"  # how many filters are set
    EXPORTS = "features-exports"
    JUMP = "features-jump"
    JUMP_GO = "features-jump-go"
    JUMP_ASKED = "features-jump-asked"
    JUMP_SAID = "features-jump-said"
    RANDOM = "features-random"
    ROW = "features-row"  # the row to be shown: {row, at}
    STAR = "features-star"  # the star that was pressed: {feature, on}
    ASKED = "features-asked"  # changes when other rows are asked for
    USUAL = "features-usual"  # the columns that are shown without a choice


class Bulk:
    """The edit of many features at once."""

    OPEN = "features-bulk-open"
    MODAL = "features-bulk-modal"
    SCOPE = "features-bulk-scope"
    DO = "features-bulk-do"
    TEXT = "features-bulk-text"
    CATEGORY = "features-bulk-category"
    APPLY = "features-bulk-apply"
    CANCEL = "features-bulk-cancel"
    ERROR = "features-bulk-error"
    DONE = "features-bulk-done"  # what was done, with the button that undoes it
    SELECTED = "features-bulk-selected"  # the numbers of the selected features
    CHANGED = "features-bulk-changed"  # counts what was done


class Views:
    """The saved views."""

    BOX = "features-views"
    ERROR = "features-views-error"
    NAME = "features-view-name"
    REPLACE = "features-view-replace"
    SAVE = "features-view-save"
    ASKED = "features-view-asked"  # when the present view was to be kept
    CHANGED = "features-views-changed"


def table_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value is the field `name` of the view."""
    return {"type": "features-field", "name": name}


def table_bound(column: Any = ALL, end: Any = ALL) -> dict[str, Any]:
    """The control for the least or greatest (`low`, `high`) value of a column."""
    return {"type": "features-bound", "column": column, "end": end}


def reset(at: Any = ALL) -> dict[str, Any]:
    """A button that clears all filters."""
    return {"type": "features-reset", "at": at}


def view_button(view: Any = ALL) -> dict[str, Any]:
    """The button that shows a saved view."""
    return {"type": "features-saved", "view": view}


def view_removal(view: Any = ALL) -> dict[str, Any]:
    """The button that removes a saved view."""
    return {"type": "features-saved-remove", "view": view}


def undo_button(batch: Any = ALL) -> dict[str, Any]:
    """The button that takes a bulk edit back."""
    return {"type": "features-undo", "batch": batch}
