"""Which tokens a feature is about, and in which documents it fires."""

from __future__ import annotations

from functools import partial
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, html

from components.feature_lists import groups_table, rank_table, uses_table
from components.feedback import empty_state, loading
from components.shell import section
from components.still import still
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds, part, show_group, view_field
from pages.feature_place import asked_of, live_at
from pages.feature_state import EvidenceState
from services.evidence.requests import BreakdownQuery, TokensQuery
from services.types.features import FeatureTokens

callbacks = CallbackSet()

_SHOWN = 12
_VALUES = 50


def section_for() -> Any:
    """Tokens at, before and after the activations, and by PageRank."""
    body = [
        html.Div(id=FeatureIds.TOKENS_ERROR),
        html.Div(loading(), id=FeatureIds.TOKENS, className="as-feature-part"),
    ]
    note = (
        "Share: of the feature's activations. Lift: that share ÷ the token's share of the corpus. "
        "Fires at: share of all places of the token at which the feature fires."
    )
    return section("Tokens", body, note=note, id="tokens")


def breakdown_section(state: EvidenceState) -> Any:
    """The documents that it fires in, by their metadata."""
    choice = dmc.Select(
        id=view_field("column"), data=[state.column] if state.column else [], value=state.column,
        placeholder="Column", size="xs", w=180, **{"aria-label": "Metadata column"},
    )  # fmt: skip
    body = [
        html.Div(id=FeatureIds.BREAKDOWN_ERROR),
        html.Div(loading(), id=FeatureIds.BREAKDOWN, className="as-feature-part"),
    ]
    note = (
        "Lift: density in these documents ÷ density in the whole corpus, with its 95 % interval "
        "over documents. Choose a value to see its examples."
    )
    return section("Documents by metadata", body, actions=choice, note=note, id="breakdown")


@callbacks.on(
    Output(FeatureIds.TOKENS, "children"),
    Input(FeatureIds.PLACE, "data"),
    prevent_initial_call=False,
    errors_in=FeatureIds.TOKENS_ERROR,
)
def show_tokens(place: Any) -> Any:
    """Four lists of tokens."""
    view = live_at(place)
    if view is None:
        return None
    found = services().evidence.tokens(TokensQuery.parse(asked_of(view, limit=_SHOWN)))
    kinds = (("Fires at", found.at), ("Before it", found.before), ("After it", found.after))
    panels = [_panel(name, uses_table(name, uses)) for name, uses in kinds if uses]
    if found.page_rank:
        panels.append(_panel("PageRank of the tokens around", rank_table(found.page_rank)))
    return still([html.Div(panels, className="as-columns as-columns-two"), _read(found)])


def _panel(name: str, body: Any) -> html.Div:
    return html.Div([html.H3(name, className="as-option-title"), body])


def _read(found: FeatureTokens) -> Any:
    """Of how many activations the numbers are, where not of all."""
    said = []
    if found.n_read < found.n:
        said.append(f"Tokens of {found.n_read:,} of {found.n:,} activations.")
    if found.n_ranked < found.n:
        said.append(f"PageRank of {found.n_ranked:,} of {found.n:,} contexts.")
    return html.P(" ".join(said), className="as-muted as-small") if said else None


@callbacks.on(
    Output(FeatureIds.BREAKDOWN, "children"),
    Output(view_field("column"), "data"),
    Output(view_field("column"), "placeholder"),
    Input(FeatureIds.PLACE, "data"),
    Input(part("breakdown"), "data"),
    prevent_initial_call=False,
    errors_in=FeatureIds.BREAKDOWN_ERROR,
)
def show_breakdown(place: Any, state_data: Any) -> tuple[Any, Any, Any]:
    """The feature by the values of a column; the first one where none is chosen."""
    view = live_at(place)
    if view is None or view.source is None or not view.source.metadata:
        return None, [], "Column"
    columns = view.source.metadata
    chosen = EvidenceState.parse(state_data).column
    column = chosen if chosen in columns else columns[0]
    query = BreakdownQuery.parse(asked_of(view, column=column, limit=_VALUES))
    groups = services().evidence.breakdown(query)
    if not groups:
        text = f"No document says anything of {column}."
        return empty_state("No values", text, icon_name="corpora"), list(columns), column
    shown = groups_table(column, groups, partial(show_group, column))
    return shown, list(columns), column
