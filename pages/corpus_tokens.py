"""A corpus as a model would read it: its first windows, token by token."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, set_props
from dash.exceptions import PreventUpdate

from components.feedback import loading
from components.shell import section
from components.token_windows import packing_view
from pages import clientside, clientside_jobs
from pages.callbacks import CallbackSet
from pages.context import services
from pages.corpus_ids import Corpus, CorpusName, PackingState, packing_field
from services.corpus.requests import PackingQuery
from services.errors import ActiscopeError

callbacks = CallbackSet()

_WINDOWS = 5
_POLICIES = {
    "sliding": "Overlapping windows, all kept",
    "documents": "First window only",
}
_BOS = {"auto": "As trained", "always": "Before each window", "never": "Never"}


def tokens_section(query: Any) -> Any:
    """The preview, with the options that the address carries."""
    state = PackingState.parse(query)
    body = [
        dcc.Store(id=Corpus.PACKING, data=state.as_data()),
        dcc.Store(id=Corpus.PACKING_SINK),
        dmc.Group(_fields(state), align="end", mb="md"),
        html.Div(id=Corpus.TOKENS_ERROR),
        html.Div(loading(), id=Corpus.TOKENS),
    ]
    note = "A preview of what an extraction reads; it chooses these options for itself."
    return section("As a model reads it", body, note=note)


def _fields(state: PackingState) -> list[Any]:
    names = [model.model_id for model in services().models]
    models = [*dict.fromkeys([*names, *([state.model] if state.model else [])])]
    return [
        _choice("model", "Model", {name: name for name in models}, state.model, 200),
        _choice("policy", "Long documents", _POLICIES, state.policy, 250),
        _number("context", "Context (tokens)", state.context, 2),
        _number("stride", "Stride (tokens)", state.stride, 1),
        _choice("bos", "Start token", _BOS, state.bos, 200),
    ]


def _choice(
    name: str, label: str, options: dict[str, str], chosen: str | None, width: int
) -> dmc.Select:
    data = [{"value": value, "label": text} for value, text in options.items()]
    return dmc.Select(
        id=packing_field(name), label=label, data=data, value=chosen, clearable=True, w=width,
        maw="100%", placeholder=_default(data), clearButtonProps={"aria-label": f"Usual {label}"},
    )  # fmt: skip


def _default(data: list[dict[str, str]]) -> str:
    return data[0]["label"] if data else "no model"


def _number(name: str, label: str, value: int | None, least: int) -> dmc.NumberInput:
    return dmc.NumberInput(
        id=packing_field(name), label=label, value=value if value is not None else "", min=least,
        max=2**20, allowDecimal=False, debounce=500, placeholder="usual", w=150,
    )  # fmt: skip


@callbacks.on(
    Output(Corpus.TOKENS, "children"),
    Input(Corpus.KNOWN, "data"),
    Input(Corpus.PACKING, "data"),
    running=[(Output(Corpus.TOKENS, "className"), "as-busy", "")],
    errors_in=Corpus.TOKENS_ERROR,
)
def show(corpus_id: Any, packing: Any) -> Any:
    """The first windows under these options."""
    name = CorpusName.parse({"id": corpus_id}).id
    if name is None:
        raise PreventUpdate
    try:
        return packing_view(services().packing_preview(name, _query(packing)), Corpus.WINDOWS)
    except ActiscopeError:  # what stands there is not what the options say
        set_props(Corpus.TOKENS, {"children": None})
        raise


def _query(packing: Any) -> PackingQuery:
    chosen = PackingState.parse(packing).as_data()
    model = {"model_id": chosen.pop("model")} if "model" in chosen else {}
    return PackingQuery.parse({**chosen, **model, "limit": _WINDOWS})


callbacks.clientside(
    clientside.FILTERS,
    Output(Corpus.PACKING, "data"),
    Input(packing_field(), "value"),
    State(Corpus.PACKING, "data"),
)
callbacks.clientside(
    clientside_jobs.mirror_here(PackingState.model_fields),
    Output(Corpus.PACKING_SINK, "data"),
    Input(Corpus.PACKING, "data"),
)
