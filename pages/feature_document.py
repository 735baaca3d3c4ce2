"""The whole document of an example, with the feature's activation at every token."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, dcc, html, no_update, set_props

from components.example_lines import ExampleLines, context_line
from components.token_text import readable
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds, lines_of, part
from pages.feature_place import live_at
from pages.feature_state import EvidenceState
from services.stores.requests import ContextQuery, DocumentQuery
from services.types.features import FeatureView
from services.types.stores import DocumentPart, StoreContext

callbacks = CallbackSet()

_WIDTH = 512  # tokens on each side that a context may have


def dialog() -> dmc.Modal:
    """It opens when the view names a position."""
    body = [
        html.Div(id=FeatureIds.DOCUMENT_ERROR),
        html.Div(id=FeatureIds.DOCUMENT_BODY),
    ]
    return dmc.Modal(
        body, id=FeatureIds.DOCUMENT, title="Document", opened=False, size="xl", centered=True,
        closeButtonProps={"aria-label": "Close"},
    )  # fmt: skip


@callbacks.on(
    Output(FeatureIds.DOCUMENT_BODY, "children"),
    Output(FeatureIds.DOCUMENT, "title"),
    Input(FeatureIds.PLACE, "data"),
    Input(part("document"), "data"),
    prevent_initial_call=False,
    errors_in=FeatureIds.DOCUMENT_ERROR,
)
def show_document(place: Any, state_data: Any) -> tuple[Any, Any]:
    """The document around the position of the view; nothing while it names none."""
    at = EvidenceState.parse(state_data).at
    if at is None:
        return None, no_update
    view = live_at(place)
    if view is None or view.source is None:
        return None, no_update
    # not as an output: what its closing feeds is what opens it
    set_props(FeatureIds.DOCUMENT, {"opened": True})
    stores, store_id = services().stores, view.source.store_id
    query = ContextQuery(width=_WIDTH, feature=view.feature_id)
    context = stores.context(store_id, at, query)
    offset = DocumentQuery(offset=0, limit=1)
    start = stores.document(store_id, context.document, offset).document.start
    n = len(context.token_ids)
    asked = DocumentQuery(offset=context.start - start, limit=max(1, n))
    read = stores.document(store_id, context.document, asked)
    return _body(view, context, read), f"Document {context.document:,}"


def _body(view: FeatureView, context: StoreContext, read: DocumentPart) -> list[Any]:
    assert view.known is not None and view.source is not None
    document, n = read.document, len(context.token_ids)
    special = [not token.is_counted for token in read.tokens]
    line = context_line(context, special) | {"value": 0, "shown": "", "note": ""}
    first = context.start - document.start
    which = "all" if n == document.n_tokens else f"{first + 1:,} to {first + n:,} of"
    facts = [("Tokens", f"{which} {document.n_tokens:,}"), ("Name", document.name)]
    facts += [(name, value) for name, value in document.metadata.items()]
    shown = [
        html.Div([html.Dt(readable(str(k))), html.Dd(readable(str(v))[:300])])
        for k, v in facts
        if v is not None
    ]
    top = max(abs(view.known.max or 0.0), abs(view.known.min or 0.0))
    lines = ExampleLines(id=lines_of("document"), lines=[line], max=top, mode="text",
                         label=f"Document {document.document}")  # fmt: skip
    text = " ".join(["All tokens at which the feature fires are coloured;",
                     "the example is framed."])  # fmt: skip
    more = dcc.Link(
        "All features in this extraction", href=f"/extraction?id={view.source.store_id}"
    )
    return [html.Dl(shown, className="as-facts as-facts-tight"),
            html.P([text, " ", more], className="as-muted as-small"), lines]  # fmt: skip
