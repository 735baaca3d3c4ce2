"""The entries of the catalogue that match a search, painted anew at each keystroke.

The browser half is `assets/actiscope_catalogue.js`. As components of Dash the same twenty entries
took several times as long to appear.
"""

from __future__ import annotations

from typing import Any

from dash.development.base_component import Component

from components.amounts import count_text, number_text, share_text
from services.types import CatalogueEntry, CataloguePage, SaeInfo


class CatalogueList(Component):
    """Entries of the catalogue, each with a button; needs the script in assets, no build step.

    In:  items (of `item_of`), note (what stands above them), suggestion (another search), label.
    Out: chosen {release, sae, n}; n counts up.
    """

    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "actiscope"
    _type = "CatalogueList"
    _prop_names = ["id", "items", "note", "suggestion", "label", "chosen"]
    _valid_wildcard_attributes: list[str] = []
    available_properties = _prop_names
    available_wildcard_properties: list[str] = []

    def __init__(self, id: str | dict[str, Any] | None = None, **props: Any) -> None:
        if id is not None:
            props["id"] = id
        super().__init__(**props)


def list_props(page: CataloguePage, text: str) -> dict[str, Any]:
    """The list's props for the answer to the search for `text`."""
    if not page.items:
        note = f"Nothing in the catalogue matches “{text}”."
        return {"items": [], "note": note, "suggestion": page.suggestion}
    shown = len(page.items)
    rest = f", the best {shown} shown" if page.total > shown else ""
    items = [item_of(entry) for entry in page.items]
    return {"items": items, "note": f"{page.total:,} found{rest}", "suggestion": None}


def item_of(entry: CatalogueEntry) -> dict[str, Any]:
    """An entry in words."""
    facts = [
        entry.model,
        entry.hook,
        None if entry.layer is None else f"layer {entry.layer}",
        None if entry.width is None else f"{count_text(entry.width)} features",
        None if entry.l0 is None else f"L0 {number_text(entry.l0)}",
        None
        if entry.explained_variance is None
        else f"variance explained {share_text(entry.explained_variance)}",
    ]
    return {
        "release": entry.release,
        "sae": entry.sae_id,
        "facts": [fact for fact in facts if fact],
        "problem": entry.problem,
        "neuronpedia": _neuronpedia(entry),
    }


def _neuronpedia(entry: CatalogueEntry) -> str | None:
    layer, width = entry.layer or 0, entry.width or 0
    sae = SaeInfo(entry.sae_id, entry.model, entry.hook, layer, 0, width, "", "",
                  neuronpedia_id=entry.neuronpedia_id)  # fmt: skip
    return sae.neuronpedia_url()
