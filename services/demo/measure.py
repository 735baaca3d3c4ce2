"""Every figure of the model card, measured on the files as they are shipped."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch

from services.demo.answers import QUESTIONS, accuracy, answer
from services.demo.batches import Mixture, Texts, TokenIds, held_out_windows
from services.demo.concepts import Detector, encode_windows, find_detectors, label_texts
from services.demo.contexts import Context, random_features, top_contexts
from services.demo.evaluate import Sparsity, measure_fidelity, measure_sparsity
from services.demo.train_model import validation_loss

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

LIBRARIES: Final = ("torch", "transformers", "tokenizers", "sae-lens", "numpy")
CONTEXTS_PER_FEATURE: Final = 3


@dataclass(frozen=True, slots=True)
class Effort:
    """How much text the measurements read."""

    held_out_windows: int = 40
    n_ctx: int = 512
    density_tokens: int = 310_000
    labelled_chars: int = 300_000
    random_features: int = 12
    answers: bool = True


@dataclass(frozen=True, slots=True)
class FeatureReading:
    """A feature, what it detects if that is known, and its top contexts."""

    feature_index: int
    density: float
    detector: Detector | None
    contexts: list[Context]


@dataclass(frozen=True, slots=True)
class SaeReport:
    """Figures of one SAE, and the features found in it."""

    measured: dict[str, Any]
    detectors: list[FeatureReading]
    drawn: list[FeatureReading]


def environment() -> dict[str, str]:
    """Versions of Python and of the libraries that shape the result."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def load_model(folder: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The model of a folder in float32, and its tokenizer, as any Hugging Face model loads."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: LlamaForCausalLM = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return model, cast("PreTrainedTokenizerFast", tokenizer)


def load_sae(folder: Path) -> SAE[Any]:
    """The SAE of a folder in float32, as any SAE in sae-lens' disk format loads."""
    from sae_lens import SAE

    return SAE.load_from_disk(folder, dtype="float32")


def layer_of(sae: SAE[Any]) -> int:
    """The layer whose output the SAE reads."""
    return int(sae.cfg.metadata.hook_name.split(".")[1])


def measure_model(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, texts: Texts, effort: Effort
) -> dict[str, Any]:
    """Size, held-out loss in nats per token, and shares of right answers."""
    windows = held_out_windows(tokenizer, texts.validation, effort.held_out_windows, effort.n_ctx)
    losses = {kind: round(validation_loss(model, ids), 4) for kind, ids in windows.items()}
    report: dict[str, Any] = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "validation_loss": losses,
        "chars_per_token": round(_chars_per_token(tokenizer, texts.validation["code"]), 3),
    }
    if effort.answers:
        right = accuracy(model, tokenizer)
        report["share_right"] = {name: round(share, 4) for name, share in right.items()}
    return report


def _chars_per_token(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> float:
    encoded = tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return sum(map(len, texts)) / sum(len(row.ids) for row in encoded)


def sample_answers(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> list[tuple[str, str]]:
    """The questions of the card with the greedy answers."""
    return [(question, answer(model, tokenizer, question)) for question in QUESTIONS]


def _figures(
    model: LlamaForCausalLM, sae: SAE[Any], layer: int, windows: TokenIds
) -> dict[str, float]:
    sparse = measure_sparsity(model, sae, layer, windows)
    fidelity = measure_fidelity(model, sae, layer, windows)
    figures = {
        "l0": sparse.l0,
        "l0_p5": sparse.l0_p5,
        "l0_p95": sparse.l0_p95,
        "explained_variance": sparse.explained_variance,
        "loss_clean": fidelity.clean,
        "loss_spliced": fidelity.spliced,
        "loss_zero_ablated": fidelity.zero_ablated,
        "loss_recovered": fidelity.loss_recovered,
    }
    return {name: round(value, 4) for name, value in figures.items()}


def _density(model: LlamaForCausalLM, sae: SAE[Any], mixture: Mixture, effort: Effort) -> Sparsity:
    rng = np.random.default_rng(99)
    windows = mixture.windows(rng, effort.density_tokens // effort.n_ctx + 1, effort.n_ctx)
    return measure_sparsity(model, sae, layer_of(sae), windows)


def labelled_texts(texts: Texts, limit_chars: int) -> list[str]:
    """Held-out own text and a spread of library sources, about half each, in `limit_chars`."""
    own = texts.validation["chat"] + texts.validation["plain"]
    code = [source[:12_000] for source in texts.validation["code"] + texts.train["code"][::12]]
    return _first_chars(own, limit_chars // 2) + _first_chars(code, limit_chars // 2)


def _first_chars(texts: Sequence[str], limit: int) -> list[str]:
    ends = np.cumsum([len(text) for text in texts])
    return list(texts[: int(np.searchsorted(ends, limit)) + 1])


def measure_sae(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    sae: SAE[Any],
    texts: Texts,
    mixture: Mixture,
    effort: Effort,
) -> SaeReport:
    """Figures on held-out text, densities on the training mixture, detectors of concepts."""
    layer = layer_of(sae)
    held_out = held_out_windows(tokenizer, texts.validation, effort.held_out_windows, effort.n_ctx)
    held_out["all"] = np.concatenate(list(held_out.values()))
    dense = _density(model, sae, mixture, effort)
    measured = {
        "held_out": {kind: _figures(model, sae, layer, ids) for kind, ids in held_out.items()},
        "dead_share": round(dense.dead_share, 4),
        "dense_share": round(dense.dense_share, 4),
        "highest_density": round(dense.density.max().item(), 4),
        "density_tokens": dense.n_tokens,
    }
    labelled = label_texts(tokenizer, labelled_texts(texts, effort.labelled_chars))
    features = encode_windows(model, sae, layer, labelled.windows)

    def read(feature: int, detector: Detector | None = None) -> FeatureReading:
        column = features[:, feature]
        contexts = top_contexts(tokenizer, labelled.windows, column, CONTEXTS_PER_FEATURE)
        return FeatureReading(feature, dense.density[feature].item(), detector, contexts)

    return SaeReport(
        measured=measured,
        detectors=[read(d.feature_index, d) for d in find_detectors(features, labelled)],
        drawn=[read(f) for f in random_features(dense.density, effort.random_features)],
    )
