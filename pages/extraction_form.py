"""The options of a new extraction: its controls, and the request that they describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import html

from pages.extraction_ids import new_option
from services.extraction.requests import StartExtraction
from services.types import CorpusInfo

_BOS: Final = [
    {"label": "As trained", "value": "auto"},
    {"label": "Always", "value": "always"},
    {"label": "Never", "value": "never"},
]
_POLICIES: Final = [
    {"label": "Read on in overlapping windows", "value": "sliding"},
    {"label": "Only the first window", "value": "documents"},
]
_PRECISIONS: Final = [
    {"label": "Auto", "value": "auto"},
    {"label": "float16", "value": "float16"},
    {"label": "float32", "value": "float32"},
]
_DEBOUNCE_MS = 500
_PACKING = ("policy", "context", "stride", "bos")
_PLAIN = ("max_tokens", "sample_seed", "batch_tokens", "precision")


def corpus_choice(corpora: Sequence[CorpusInfo], chosen: str | None) -> dmc.Select:
    """The corpus; the only one there is, is chosen."""
    usable = [one for one in corpora if one.problem is None]
    data = [{"value": one.corpus_id, "label": one.name} for one in usable]
    names = [one.corpus_id for one in usable]
    value = chosen if chosen in names else next(iter(names), None)
    return dmc.Select(
        id=new_option("corpus"), label="Corpus", data=data, value=value, allowDeselect=False,
        searchable=True, placeholder="none yet",
    )  # fmt: skip


def option_fields() -> dmc.Stack:
    """All options; left alone, each is as is best for most."""
    return dmc.Stack([_sample(), _windows(), _counting(), _storing()], gap="lg")


def request_of(chosen: Any, options: Any, key: Any = None) -> StartExtraction | None:
    """What the page describes; None as long as no SAE or no corpus is chosen.

    Raises:
        InvalidArgument: an option has no possible value.
    """
    saes = chosen.get("saes") if isinstance(chosen, Mapping) else None
    given = dict(options) if isinstance(options, Mapping) else {}
    if not saes or not given.get("corpus"):
        return None
    skip = [name for name in ("bos", "special") if given.get(f"skip_{name}")]
    fields = {
        "sae_ids": saes,
        "corpus_id": given["corpus"],
        "packing": {name: given[name] for name in _PACKING if name in given},
        "skip": skip,
        "request_key": key,
        **{name: given[name] for name in _PLAIN if name in given},
        **({"metadata": given["metadata"]} if "metadata" in given else {}),
    }
    return StartExtraction.parse(fields)


def _sample() -> html.Div:
    return _group(
        "How much is read",
        [
            _number("max_tokens", "Token budget", "all of the corpus"),
            _number("sample_seed", "Draw documents at random, seed", "the first ones", least=0),
        ],
        "With a budget, documents are taken until it is reached: the first ones, or, with a "
        "seed, some drawn at random.",
    )


def _windows() -> html.Div:
    policy = dmc.Select(
        id=new_option("policy"), label="Long documents", data=_POLICIES, value="sliding",
        allowDeselect=False,
    )  # fmt: skip
    bos = dmc.Select(
        id=new_option("bos"), label="BOS before each window", data=_BOS, value="auto",
        allowDeselect=False,
    )  # fmt: skip
    return _group(
        "How it is read",
        [
            _number("context", "Context, tokens", "as the SAEs were trained", least=2),
            _number("stride", "Stride, tokens", "¾ of the context"),
            policy,
            bos,
        ],
        "Every token is kept once, from the window in which it has most context.",
    )


def _counting() -> html.Div:
    boxes = [
        dmc.Checkbox(id=new_option("skip_bos"), label="BOS", checked=True),
        dmc.Checkbox(id=new_option("skip_special"), label="Special tokens", checked=True),
    ]
    return html.Div(
        [
            html.H3("What is not counted", className="as-option-title"),
            dmc.Group(boxes, gap="lg"),
            _note("They are stored, but have no features and count in no statistic."),
        ]
    )


def _storing() -> html.Div:
    precision = dmc.Select(
        id=new_option("precision"), label="Precision", data=_PRECISIONS, value="auto",
        allowDeselect=False,
    )  # fmt: skip
    metadata = dmc.MultiSelect(
        id=new_option("metadata"), label="Metadata kept with the documents", data=[], value=[],
        clearable=True, clearButtonProps={"aria-label": "Keep no metadata"},
    )  # fmt: skip
    return _group(
        "How it is computed and kept",
        [
            _number("batch_tokens", "Batch, tokens", "as memory allows"),
            precision,
            metadata,
        ],
        "Auto keeps float16 where that is exact to 5·10⁻⁴ of a value, and float32 elsewhere.",
    )


def _group(title: str, fields: list[Any], note: str) -> html.Div:
    heading = html.H3(title, className="as-option-title")
    grid = dmc.SimpleGrid(fields, cols={"base": 1, "xs": 2}, spacing="sm")
    return html.Div([heading, grid, _note(note)])


def _note(text: str) -> dmc.Text:
    return dmc.Text(text, size="sm", className="as-muted", mt=6)


def _number(name: str, label: str, unset: str, *, least: int = 1) -> dmc.NumberInput:
    return dmc.NumberInput(
        id=new_option(name), label=label, value="", placeholder=unset, min=least,
        allowDecimal=False, allowNegative=False, hideControls=True, thousandSeparator=" ",
        debounce=_DEBOUNCE_MS,
    )  # fmt: skip
