"""Examples of a feature's activations: one line each with the tokens under each other at which it
fires, or as running text.

The browser half is `assets/actiscope_examples.js`: hundreds of tokens as components of Dash would
take seconds to appear. Token text is hostile and only ever becomes text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash.development.base_component import Component

from components.amounts import number_text
from components.token_text import readable, visible
from services.types.features import EvidenceExample, ScoredToken
from services.types.stores import StoreContext

_MANY = 4  # metadata shown with an example
_CHARS = 60  # of one of them


class ExampleLines(Component):
    """Examples under the tokens that they have in common; needs the script in assets.

    In:  lines (of `line_of`), max (end of the colour scale), mode ("lines": aligned, "text":
         running text), chips (of `chip_of`; one that is pointed at is marked in the lines), run
         (fields of the playground's address; null: no links there), label (accessible name).
    Out: opened {position, n}: an example whose document is asked for; n counts up.
    """

    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "actiscope"
    _type = "ExampleLines"
    _prop_names = ["id", "lines", "max", "mode", "chips", "run", "label", "opened"]
    _valid_wildcard_attributes: list[str] = []
    available_properties = _prop_names
    available_wildcard_properties: list[str] = []

    def __init__(self, id: str | dict[str, Any] | None = None, **props: Any) -> None:
        if id is not None:
            props["id"] = id
        super().__init__(**props)


def line_of(example: EvidenceExample, *, noted: bool = True) -> dict[str, Any]:
    """An example as the script takes it; `noted`: with where it stands."""
    context = example.example.context
    note = example_note(example) if noted else ""
    return context_line(context, example.special) | {
        "value": example.example.value,
        "shown": number_text(example.example.value),
        "note": note,
    }


def context_line(context: StoreContext, special: Sequence[bool]) -> dict[str, Any]:
    """Tokens with their values, as parallel lists; what is special has none."""
    values = context.values or (0.0,) * len(context.token_ids)
    return {
        "position": context.position,
        "at": context.position - context.start,
        "tokens": token_texts(context),
        "ids": list(context.token_ids),
        "values": [0 if off else _short(v) for v, off in zip(values, special, strict=True)],
        "special": [int(off) for off in special],
    }


def token_texts(context: StoreContext) -> list[str]:
    """What each token is shown as. One that ends within a character has no text of its own: it is
    named where the feature fires, so that no activation is hidden, and empty elsewhere.
    """
    named = [
        text if text is not None else f"[{token_id}]"
        for text, token_id in zip(context.tokens, context.token_ids, strict=True)
    ]
    if not context.pieces:
        return named
    values = context.values or (0.0,) * len(named)
    return [
        piece or (name if value else "")
        for piece, name, value in zip(context.pieces, named, values, strict=True)
    ]


def example_note(example: EvidenceExample) -> str:
    """The document of an example and the first of its metadata."""
    number = f"document {example.example.context.document:,}"
    where = number if example.document is None else f"{number} {_cut(example.document)}"
    said = [f"{k}: {_cut(v)}" for k, v in list(example.metadata.items())[:_MANY] if v is not None]
    return " · ".join([where, *said])


def chip_of(token: ScoredToken, top: float) -> dict[str, Any]:
    """A token as a chip; its weight is its share of the best score."""
    return {
        "id": token.token_id,
        "text": visible(token.text),
        "weight": round(max(0.0, min(1.0, token.score / top)), 3) if top > 0 else 0,
        "title": f"TF-IDF {number_text(token.score)}, {token.count:,} times in these examples",
    }


def chips_of(tokens: Sequence[ScoredToken]) -> list[dict[str, Any]]:
    """The tokens of an interval, best first."""
    top = max((token.score for token in tokens), default=0.0)
    return [chip_of(token, top) for token in tokens]


def _short(value: float) -> float:
    return float(f"{value:.4g}") if value else 0


def _cut(value: Any) -> str:
    text = readable(str(value))
    return text if len(text) <= _CHARS else text[: _CHARS - 1] + "…"
