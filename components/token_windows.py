"""The sequences that a model reads, token by token: what is special, what is context only.

The browser half is `assets/actiscope_windows.js`: thousands of tokens as components of Dash would
take seconds to appear. Token text is hostile and only ever becomes text.
"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from components.amounts import number_text, short_count
from services.types import PackedWindow, PackingPreview

_SPECIAL, _CONTEXT = 1, 2  # bits of a token's kind, as in the script


class TokenWindows(Component):
    """Windows of tokens; needs the script in assets, no build step.

    In: windows (of `window_of`), label.
    """

    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "actiscope"
    _type = "TokenWindows"
    _prop_names = ["id", "windows", "label"]
    _valid_wildcard_attributes: list[str] = []
    available_properties = _prop_names
    available_wildcard_properties: list[str] = []

    def __init__(self, id: str | dict[str, Any] | None = None, **props: Any) -> None:
        if id is not None:
            props["id"] = id
        super().__init__(**props)


def packing_view(preview: PackingPreview, id: str) -> html.Div:
    """The first windows under what the packing makes of the corpus."""
    windows = [window_of(window) for window in preview.windows]
    strips = TokenWindows(id=id, windows=windows, label="Windows of tokens")
    return html.Div([packing_numbers(preview), _legend(), strips])


def window_of(window: PackedWindow) -> dict[str, Any]:
    """A window as the script takes it."""
    kinds = [
        _SPECIAL * special + _CONTEXT * (not new)
        for special, new in zip(window.is_special, window.is_new, strict=True)
    ]
    fresh = sum(window.is_new)
    note = f"{len(window.tokens):,} tokens"
    if fresh < len(window.tokens):
        note += f", {fresh:,} kept"
    title = f"document {window.document + 1:,}"
    ids = list(window.token_ids)
    return {"title": title, "note": note, "tokens": list(window.tokens), "ids": ids, "kinds": kinds}


def packing_numbers(preview: PackingPreview) -> html.Dl:
    """What an extraction over the whole corpus would read, at the rate of what was looked at."""
    numbers = [
        ("Tokens, estimated", f"≈ {short_count(preview.estimated_tokens)}"),
        ("Characters per token", number_text(preview.chars_per_token)),
        ("Context", f"{preview.context:,}"),
        ("Documents looked at", f"{preview.n_documents:,}"),
        ("Tokens kept of these", f"{preview.n_tokens:,}"),
        ("Left out of these", f"{preview.n_left_out:,}"),
    ]
    terms = [html.Div([html.Dt(term), html.Dd(value)]) for term, value in numbers]
    return html.Dl(terms, className="as-numbers")


def _legend() -> html.Div:
    kinds = [
        ("as-win-tok", "token", "read and kept"),
        ("as-win-tok sp", "<bos>", "special"),
        ("as-win-tok ctx", "token", "context only, kept from the window before"),
    ]
    samples = [
        html.Span([html.Span(sample, className=kind), dmc.Text(text, span=True, size="xs")])
        for kind, sample, text in kinds
    ]
    return html.Div(samples, className="as-win-legend")
