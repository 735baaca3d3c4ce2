"""The form of the playground: what to run, how to sample, which SAEs to look through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html

from components.entries import sae_href
from components.icons import icon
from components.saes import sae_label
from components.verdicts import verdict_badge
from pages.examples import EXAMPLES
from pages.ids import Form, example
from services.runs.request import RunRequest
from services.types import ModelInfo, SaeInfo, Verdict

_MODES: Final = [
    {"label": "Auto", "value": "auto"},
    {"label": "Chat", "value": "on"},
    {"label": "Raw text", "value": "off"},
]

_CHOSEN = 6  # each SAE costs time and memory


def form(models: Sequence[ModelInfo], request: Mapping[str, Any] | None) -> dmc.Stack:
    """The form, filled in from the request of an earlier run when there is one."""
    values = _defaults() | dict(request or {})
    return dmc.Stack(
        [
            dcc.Store(id=Form.SUBMISSION),
            dcc.Store(id=Form.KEYS),
            _examples(),
            _prompt(values),
            _submit(),
            html.Div(id=Form.ERROR),
            _model_and_saes(models, values),
            _sampling(values),
            _template(values),
        ],
        id=Form.FORM,
        gap="md",
    )


def saes_of(models: Sequence[ModelInfo], model_id: Any) -> tuple[SaeInfo, ...]:
    """The SAEs that fit the model; none for an unknown model."""
    return next((model.saes for model in models if model.model_id == model_id), ())


def sae_options(saes: Sequence[SaeInfo]) -> list[dict[str, str]]:
    """SAEs to choose from, each with its layer and its verdict."""
    return [{"label": sae_label(sae), "value": sae.sae_id} for sae in saes]


def usual_choice(saes: Sequence[SaeInfo]) -> list[str]:
    """What is chosen before anybody chooses: those that are not broken, and not too many."""
    usable = [sae.sae_id for sae in saes if sae.verdict is not Verdict.BROKEN]
    return usable[:_CHOSEN]


def verdict_notes(saes: Sequence[SaeInfo], chosen: Any) -> list[html.Div]:
    """What is to be known of the chosen SAEs before their features are believed."""
    names = chosen if isinstance(chosen, list) else []
    doubtful = (Verdict.BROKEN, Verdict.SUSPICIOUS)
    return [_note(sae) for sae in saes if sae.sae_id in names and sae.verdict in doubtful]


def _note(sae: SaeInfo) -> html.Div:
    link = dcc.Link(f"Why {sae.sae_id}", href=sae_href(sae.sae_id))
    return html.Div([verdict_badge(sae.verdict), link], className="as-badges")


def _defaults() -> dict[str, Any]:
    return {
        name: field.default
        for name, field in RunRequest.model_fields.items()
        if not field.is_required()
    }


def _examples() -> Any:
    buttons = [
        dmc.Button(one.label, id=example(i), variant="default", size="compact-sm", radius="xl")
        for i, one in enumerate(EXAMPLES)
    ]
    return dmc.Group([dmc.Text("Try", size="sm", className="as-muted"), *buttons], gap="xs")


def _prompt(values: Mapping[str, Any]) -> Any:
    return dmc.Textarea(
        id=Form.PROMPT,
        label="Prompt",
        value=values.get("prompt", ""),
        placeholder="What the model reads",
        autosize=True,
        minRows=4,
        maxRows=14,
        classNames={"input": "as-mono"},
    )


def _template(values: Mapping[str, Any]) -> Any:
    system = dmc.Textarea(
        id=Form.SYSTEM_PROMPT,
        label="System prompt (optional)",
        value=values.get("system_prompt") or "",
        autosize=True,
        minRows=1,
        maxRows=6,
        classNames={"input": "as-mono"},
    )
    mode = dmc.SegmentedControl(
        id=Form.CHAT_TEMPLATE, data=_MODES, value=values["chat_template"], size="sm",
        **{"aria-label": "Chat template"},
    )  # fmt: skip
    return dmc.Stack([dmc.Group([dmc.Text("Chat template", size="sm"), mode], gap="sm"), system])


def _model_and_saes(models: Sequence[ModelInfo], values: Mapping[str, Any]) -> Any:
    names = [model.model_id for model in models]
    known_model = values.get("model_id") in names
    chosen = values["model_id"] if known_model else next(iter(names), None)
    fitting = saes_of(models, chosen)
    known = [sae.sae_id for sae in fitting]
    wanted = values.get("sae_ids")
    saes = usual_choice(fitting) if wanted is None else [name for name in wanted if name in known]
    model = dmc.Select(
        id=Form.MODEL, label="Model", data=names, value=chosen, allowDeselect=False, searchable=True
    )
    choice = dmc.MultiSelect(
        id=Form.SAES, label="SAEs", data=sae_options(fitting), value=saes, clearable=True,
        searchable=True, description="None: the text only",
        clearButtonProps={"aria-label": "Choose no SAE"},
    )  # fmt: skip
    notes = html.Div(verdict_notes(fitting, saes), id=Form.VERDICTS, role="status")
    return dmc.Stack([model, choice, notes])


def _sampling(values: Mapping[str, Any]) -> Any:
    fields = [
        _number(Form.MAX_TOKENS, "Max tokens", values["max_tokens"], least=1, decimals=False),
        _number(Form.TEMPERATURE, "Temperature", values["temperature"], most=2, step=0.1),
        _number(Form.TOP_P, "Top-p", values["top_p"], most=1, step=0.05),
        _number(Form.TOP_K, "Top-k (0 off)", values["top_k"], decimals=False),
        _number(Form.SEED, "Seed", values.get("seed"), decimals=False),
        _number(
            Form.SAE_TOP_K, "Features/token", values["sae_top_k"], least=1, most=200,
            decimals=False,
        ),
    ]  # fmt: skip
    return dmc.SimpleGrid(fields, cols={"base": 2, "xs": 3}, spacing="sm", id=Form.SAMPLING)


def _number(
    id: str,
    label: str,
    value: float | None,
    *,
    least: float = 0,
    most: float | None = None,
    step: float = 1,
    decimals: bool = True,
) -> dmc.NumberInput:
    return dmc.NumberInput(
        id=id, label=label, value="" if value is None else value, min=least, max=most, step=step,
        allowDecimal=decimals, allowNegative=False, hideControls=True,
    )  # fmt: skip


def _submit() -> Any:
    run = dmc.Button("Run", id=Form.RUN, leftSection=icon("play", 16))
    return dmc.Group([run, dmc.Group([dmc.Kbd("Ctrl"), "+", dmc.Kbd("Enter")], gap=4)], gap="md")
