"""Which SAE feature detects which concept: predicates over text, scored by precision and recall."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from services.demo import vocabulary as v
from services.demo.activations import token_residuals
from services.demo.batches import TokenIds
from services.demo.tokenizer import BOS, EOS, token_id

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

MARKER: Final = r"<\|\w+\|>"


def _any_of(words: Sequence[str]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b"


CONCEPTS: Final = {
    "newline and indentation": r"\n *",
    "empty line": r"\n *(?=\n)",
    "keyword def": r"(?m)^ *\bdef(?= )",
    "name after def": r"(?<=\bdef )\w+",
    "keyword class": r"(?m)^ *\bclass(?= \w+[:(])",
    "name after class": r"(?m)(?<=^class )\w+",
    "import line": r"(?m)^ *(?:import|from) .*$",
    "keyword return": r"(?m)^ *return\b",
    "keyword if, elif, else": r"(?m)^ *(?:if|elif|else)\b",
    "keyword for, while": r"(?m)^ *(?:for|while)\b",
    "keyword raise": r"(?m)^ *raise\b",
    "the word self": r"\bself\b",
    "None, True, False": r"\b(?:None|True|False)\b",
    "comparison operator": r"(?:==|!=|<=|>=)",
    "comment": r"(?m)#.*$",
    "exception name": r"\b[A-Z]\w*(?:Error|Exception)\b",
    "UPPER_CASE name": r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b",
    "dunder name": r"\b__\w+__\b",
    "URL": r"https?://\S+",
    "reST double backtick": r"``",
    "the word the": r"\b[Tt]he\b",
    "negation word": r"\b(?:not|never|no|cannot|No)\b",
    "chat marker": MARKER,
    "user's text": r"(?s)(?<=<\|user\|>\n).*?(?=<\|end\|>)",
    "first word of an answer": r"(?<=<\|assistant\|>\n)[^\s<]+",
    "question mark": r"\?",
    "quoted speech": r'"[A-Z][^"\n]*[.!?]"',
    "digit": r"\d",
    "operand before an operator": r"\d(?= [+\-*] \d)",
    "result of a sum": r"(?<== )\d+(?![\w.])",
    "animal": _any_of((*v.ANIMALS, *v.LEGS)),
    "color": _any_of(v.COLORS),
    "girl's name": _any_of(v.GIRLS),
    "boy's name": _any_of(v.BOYS),
    "any first name": _any_of(v.NAMES),
    "place": _any_of(v.PLACES),
    "food": _any_of(v.FOODS),
    "thing of a story": _any_of(v.OBJECTS),
    "negative feeling": _any_of(v.NEGATIVE),
    "positive feeling": _any_of(v.POSITIVE),
    "weather": _any_of(v.WEATHER),
    "day of the week": _any_of(v.DAYS),
    "month": _any_of(v.MONTHS),
    "country": _any_of(tuple(v.CAPITALS)),
    "capital city": _any_of(tuple(v.CAPITALS.values())),
    "number word": _any_of(v.NUMBER_WORDS),
    "pronoun he or she": r"\b(?:[Hh]e|[Ss]he)\b",
    "story opening": r"(?:Once upon a time there|One \w+ day a|In a small house|There was once)",
    "language name": _any_of(v.LANGUAGES),
}
"""A token belongs to a concept if its first visible character lies in a match of the pattern."""

THRESHOLDS: Final = (0.0, 0.1, 0.25, 0.5)
"""A feature detects a token if its activation exceeds this fraction of its maximum."""


class Labelled(NamedTuple):
    """Token windows `[n_windows, pos]` and their concepts `[n_windows * (pos - 1), n_concepts]`."""

    windows: TokenIds
    concepts: torch.Tensor


@dataclass(frozen=True, slots=True)
class Detector:
    """The feature that detects a concept best, scored on tokens it was not chosen on."""

    concept: str
    feature_index: int
    threshold: float
    base_rate: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def concept_mask(text: str) -> NDArray[np.bool_]:
    """Which characters belong to which concept, `[len(text), n_concepts]`."""
    mask = np.zeros((len(text), len(CONCEPTS)), dtype=bool)
    for column, pattern in enumerate(CONCEPTS.values()):
        for match in re.finditer(pattern, text):
            mask[match.start() : match.end(), column] = True
    return mask


def _first_visible(text: str, start: int, end: int) -> int:
    return next((i for i in range(start, end) if text[i] != " "), min(start, len(text) - 1))


def label_texts(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], n_ctx: int = 256
) -> Labelled:
    """Tokens of all texts in windows with `<bos>` in front, each token with its concepts."""
    ids, masks = [], []
    eos = token_id(tokenizer, EOS)
    for text in texts:
        encoded = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
        visible = [_first_visible(text, *offsets) for offsets in encoded.offsets]
        ids.append([*encoded.ids, eos])
        masks.append(np.vstack([concept_mask(text)[visible], np.zeros(len(CONCEPTS), bool)]))
    length = n_ctx - 1
    flat, mask = np.concatenate(ids).astype(np.int32), np.concatenate(masks)
    n_windows = len(flat) // length
    bos = np.full((n_windows, 1), token_id(tokenizer, BOS), np.int32)
    body = flat[: n_windows * length].reshape(n_windows, length)
    return Labelled(np.hstack([bos, body]), torch.from_numpy(mask[: n_windows * length]).float())


class _Counts(NamedTuple):
    """Hits per threshold: true `[n, n_concepts, d_sae]`, all `[n, d_sae]`; tokens of concepts."""

    true_hits: torch.Tensor
    hits: torch.Tensor
    positives: torch.Tensor
    n_tokens: int


def encode_windows(
    model: LlamaForCausalLM, sae: SAE[Any], layer: int, windows: TokenIds
) -> torch.Tensor:
    """Activations of every token but `<bos>`, `[n_tokens, d_sae]`, float16."""
    with torch.no_grad():
        return torch.cat([sae.encode(x).half() for x in token_residuals(model, layer, windows)])


def _count(features: torch.Tensor, concepts: torch.Tensor, maxima: torch.Tensor) -> _Counts:
    true_hits, hits = [], []
    for threshold in THRESHOLDS:
        fired = (features > threshold * maxima).float()
        true_hits.append(concepts.T @ fired)
        hits.append(fired.sum(0))
    return _Counts(
        torch.stack(true_hits), torch.stack(hits), concepts.sum(0), n_tokens=len(features)
    )


def _scores(counts: _Counts) -> tuple[torch.Tensor, torch.Tensor]:
    precision = counts.true_hits / counts.hits[:, None].clamp(min=1)
    recall = counts.true_hits / counts.positives[None, :, None].clamp(min=1)
    return precision, recall


def _best(counts: _Counts) -> list[tuple[int, int]]:
    """Per concept the threshold's index and the feature's index of the highest F1."""
    precision, recall = _scores(counts)
    f1 = 2 * precision * recall / (precision + recall).clamp(min=1e-9)
    flat = f1.permute(1, 0, 2).flatten(1).argmax(1)
    return [divmod(index, f1.shape[-1]) for index in flat.tolist()]


def find_detectors(features: torch.Tensor, labelled: Labelled) -> list[Detector]:
    """Per concept the best feature by F1, chosen on even windows and scored on odd ones.

    `features [n_tokens, d_sae]` are those of `encode_windows` for the windows of `labelled`.
    """
    length = labelled.windows.shape[1] - 1
    maxima = features.max(0).values
    part = torch.arange(len(features)) // length % 2
    best = _best(_count(features[part == 0], labelled.concepts[part == 0], maxima))
    scored = _count(features[part == 1], labelled.concepts[part == 1], maxima)
    precision, recall = _scores(scored)
    detectors = [
        Detector(
            concept=name,
            feature_index=feature,
            threshold=THRESHOLDS[level],
            base_rate=scored.positives[column].item() / scored.n_tokens,
            precision=precision[level, column, feature].item(),
            recall=recall[level, column, feature].item(),
        )
        for column, (name, (level, feature)) in enumerate(zip(CONCEPTS, best, strict=True))
    ]
    return sorted(detectors, key=lambda detector: -detector.f1)
