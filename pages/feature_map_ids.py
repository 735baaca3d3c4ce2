"""The ids that the callbacks of the map of features name."""

from __future__ import annotations

from typing import Any

from dash import ALL


class Map:
    """The map and what stands under it."""

    VIEW = "map-view"  # what the address carries
    DRAWN = "map-drawn"  # the part of it that the points depend on
    CHOSEN = "map-chosen"  # the features that are chosen: {ids: "3,5-9", by}
    SINK = "map-sink"
    SAE = "map-sae"
    ERROR = "map-error"
    STATE = "map-state"  # why there is no map: what would make it, or how far that is
    BOX = "map-box"
    GRAPH = "map-graph"
    LEGEND = "map-legend"
    UMAP = "map-umap"  # UMAP's options
    MAKE = "map-make"
    CANCEL = "map-cancel"
    TICK = "map-tick"
    MADE = "map-made"  # counts the maps that a job has finished
    AROUND = "map-around"
    AROUND_N = "map-around-n"
    AROUND_GO = "map-around-go"
    AROUND_ERROR = "map-around-error"
    CLEAR = "map-clear"
    SELECTION = "map-selection"
    SELECTION_ERROR = "map-selection-error"


class Families:
    """The families of the same SAE."""

    ASKED = "families-asked"  # which are listed
    SIZES = "families-sizes"
    ERROR = "families-error"
    LIST = "families-list"
    MORE = "families-more"
    SHOWN = "families-shown"  # how many are listed
    NAME = "families-name"
    KEEP = "families-keep"
    KEEP_ERROR = "families-keep-error"
    CHANGED = "families-changed"  # counts what was kept and removed
    KEPT = "families-kept"
    BOX = "families-box"


def map_field(name: Any = ALL) -> dict[str, Any]:
    """A control whose value the address carries."""
    return {"type": "map-field", "name": name}


def family_on_map(number: Any = ALL) -> dict[str, Any]:
    """The button that shows a family on the map."""
    return {"type": "family-on-map", "number": number}


def remove_set(set_id: Any = ALL) -> dict[str, Any]:
    """The button that removes a kept set."""
    return {"type": "family-set-remove", "id": set_id}
