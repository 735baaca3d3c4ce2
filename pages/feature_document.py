"""The document of an example, with the feature's activation at every token.

A long one is shown in parts: the one around the example first, then what is before and after it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, Patch, State, ctx, dcc, html, no_update, set_props
from dash.exceptions import PreventUpdate

from components.entries import listed
from components.example_lines import ExampleLines, context_line
from components.token_text import readable
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds, lines_of, part
from pages.feature_place import live_at
from pages.feature_state import EvidenceState
from pages.url_state import UrlState
from services.stores.requests import ContextQuery, DocumentQuery, TokenPosition
from services.types.features import FeatureView
from services.types.stores import StoreDocument

callbacks = CallbackSet()

_WIDTH = 512  # tokens on each side that a context may have
_LINES = "document"
_HIDDEN = {"display": "none"}


class ShownPart(UrlState):
    """The tokens of a document that are shown: from `start` to before `stop`."""

    document: TokenPosition | None = None
    start: TokenPosition | None = None
    stop: TokenPosition | None = None


def dialog() -> dmc.Modal:
    """It opens when the view names a position."""
    place = html.Div(id=FeatureIds.DOCUMENT_PLACE, className="as-muted as-small", role="status")
    body = [
        html.Div(id=FeatureIds.DOCUMENT_ERROR),
        dcc.Store(id=FeatureIds.DOCUMENT_PART),
        html.Div(id=FeatureIds.DOCUMENT_FACTS),
        place,
        _button(FeatureIds.EARLIER, "Earlier tokens"),
        html.Div(id=FeatureIds.DOCUMENT_BODY),
        _button(FeatureIds.LATER, "Later tokens"),
    ]
    return dmc.Modal(
        body, id=FeatureIds.DOCUMENT, title="Document", opened=False, size="xl", centered=True,
        closeButtonProps={"aria-label": "Close"},
    )  # fmt: skip


def _button(id: str, text: str) -> dmc.Button:
    return dmc.Button(text, id=id, variant="default", size="xs", my="xs", style=_HIDDEN)


@callbacks.on(
    Output(FeatureIds.DOCUMENT_BODY, "children"),
    Output(FeatureIds.DOCUMENT_FACTS, "children"),
    Output(FeatureIds.DOCUMENT, "title"),
    Output(FeatureIds.DOCUMENT_PART, "data"),
    Output(FeatureIds.DOCUMENT_PLACE, "children"),
    Output(FeatureIds.EARLIER, "style"),
    Output(FeatureIds.LATER, "style"),
    Input(FeatureIds.PLACE, "data"),
    Input(part("document"), "data"),
    prevent_initial_call=False,
    errors_in=FeatureIds.DOCUMENT_ERROR,
)
def show_document(place: Any, state_data: Any) -> tuple[Any, ...]:
    """The document around the position of the view; nothing while it names none."""
    at, view = EvidenceState.parse(state_data).at, None
    if at is not None:
        view = live_at(place)
    if at is None or view is None or view.source is None or view.known is None:
        return None, None, no_update, None, None, _HIDDEN, _HIDDEN
    # not as an output: what its closing feeds is what opens it
    set_props(FeatureIds.DOCUMENT, {"opened": True})
    around = services().stores.context(view.source.store_id, at, ContextQuery(width=_WIDTH))
    document = _document(view, around.document)
    start, stop = around.start, around.start + len(around.token_ids)
    lines = ExampleLines(
        id=lines_of(_LINES), lines=[_line(view, document, start, stop, at=at)], mode="text",
        max=max(abs(view.known.max or 0.0), abs(view.known.min or 0.0)),
        label=f"Document {document.document}",
    )  # fmt: skip
    title = f"Document {document.document:,}"
    return lines, _facts(view, document), title, *_place(document, start, stop)


@callbacks.on(
    Output(lines_of(_LINES), "lines"),
    Output(FeatureIds.DOCUMENT_PART, "data", allow_duplicate=True),
    Output(FeatureIds.DOCUMENT_PLACE, "children", allow_duplicate=True),
    Output(FeatureIds.EARLIER, "style", allow_duplicate=True),
    Output(FeatureIds.LATER, "style", allow_duplicate=True),
    Input(FeatureIds.EARLIER, "n_clicks"),
    Input(FeatureIds.LATER, "n_clicks"),
    State(FeatureIds.PLACE, "data"),
    State(FeatureIds.DOCUMENT_PART, "data"),
    running=[
        (Output(FeatureIds.EARLIER, "disabled"), True, False),
        (Output(FeatureIds.LATER, "disabled"), True, False),
    ],
    errors_in=FeatureIds.DOCUMENT_ERROR,
)
def go_on(earlier: Any, later: Any, place: Any, part_data: Any) -> tuple[Any, ...]:
    """The tokens before or after those that are shown."""
    shown, view = ShownPart.parse(part_data), live_at(place)
    if not (earlier or later) or view is None or shown.document is None:
        raise PreventUpdate
    document = _document(view, shown.document)
    last = document.start + document.n_tokens
    start, stop = (max(document.start, min(p or 0, last)) for p in (shown.start, shown.stop))
    lines = Patch()
    if ctx.triggered_id == FeatureIds.EARLIER:
        before, start = start, max(document.start, start - 2 * _WIDTH)
        if start < before:
            lines.prepend(_line(view, document, start, before))
    else:
        after, stop = stop, min(last, stop + 2 * _WIDTH)
        if after < stop:
            lines.append(_line(view, document, after, stop))
    return lines, *_place(document, start, stop)


def _document(view: FeatureView, number: int) -> StoreDocument:
    assert view.source is not None
    query = DocumentQuery(offset=0, limit=1)
    return services().stores.document(view.source.store_id, number, query).document


def _line(
    view: FeatureView, document: StoreDocument, start: int, stop: int, *, at: int | None = None
) -> dict[str, Any]:
    """Tokens of a document with the feature's values; the one `at` this position is framed."""
    assert view.source is not None
    stores, store_id = services().stores, view.source.store_id
    query = ContextQuery(width=_WIDTH, feature=view.feature_id)
    around = stores.context(store_id, (start + stop) // 2, query)
    cut = slice(start - around.start, stop - around.start)
    context = replace(
        around, position=start if at is None else at, start=start,
        token_ids=around.token_ids[cut], tokens=around.tokens[cut], pieces=around.pieces[cut],
        values=(around.values or ())[cut] or None,
    )  # fmt: skip
    asked = DocumentQuery(offset=start - document.start, limit=stop - start)
    read = stores.document(store_id, document.document, asked).tokens
    line = context_line(context, [not token.is_counted for token in read])
    return line | {"at": -1 if at is None else line["at"], "value": 0, "shown": "", "note": ""}


def _place(document: StoreDocument, start: int, stop: int) -> tuple[Any, ...]:
    """Which tokens are shown, as data and in words; the styles of the buttons for the others."""
    data = ShownPart(document=document.document, start=start, stop=stop).as_data()
    first, last, n = start - document.start, stop - document.start, document.n_tokens
    words = f"All {n:,} tokens" if last - first == n else f"Tokens {first + 1:,} to {last:,}"
    said = words if last - first == n else f"{words} of {n:,}"
    return data, said, {} if first > 0 else _HIDDEN, {} if last < n else _HIDDEN


def _facts(view: FeatureView, document: StoreDocument) -> list[Any]:
    """Name and metadata, and what the colours mean."""
    assert view.source is not None
    facts = {"Name": document.name, **document.metadata}
    shown = [
        html.Div([html.Dt(readable(str(k))), html.Dd(readable(str(v))[:300])])
        for k, v in facts.items()
        if v is not None
    ]
    text = "All tokens at which the feature fires are coloured; the example is framed. "
    more = dcc.Link(
        "All features in this extraction", href=listed("/extraction", id=view.source.store_id)
    )
    note = html.P([text, more], className="as-muted as-small")
    return [html.Dl(shown, className="as-facts as-facts-tight") if shown else None, note]
