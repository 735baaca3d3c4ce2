"""A model, an SAE and a corpus of which everything is known beforehand, and what comes of them.

The model is a GPT-2 whose embeddings are chosen: letters that features look for have axes of
their own, and a position adds to one more axis. So a feature's value says at which place of
which window its token was read, and all of it can be computed here by hand.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests import tiny

MODEL, SAE, HOOK = "planted", "planted-l0", "blocks.0.hook_resid_pre"
CONTEXT, STRIDE, BOS_ID = 24, 8, 1
GROUPS = ("news", "prose", None)
_LENGTH, _PLACE = 2.0, 1 / 256  # of a planted letter's embedding; added by each place
_PLACE_AXIS = 20
_THRESHOLD = 1.0

# What fires on what: each letter has the axis of its place here.
AXES = "QZXJKVWY"
ONLY_Q, ONLY_Z, ON_X, ALSO_ON_X, DEAD, ON_J_OR_K, ON_K, ALWAYS, ON_BOS, ON_V, ON_W, ON_Y = range(12)
LETTERS = {
    ONLY_Q: "Q", ONLY_Z: "Z", ON_X: "X", ALSO_ON_X: "X", ON_J_OR_K: "JK", ON_K: "K", ON_V: "V",
    ON_W: "W", ON_Y: "Y",
}  # fmt: skip
STRENGTH = {ALSO_ON_X: 0.75}  # of the encoder; 1 elsewhere
D_SAE = 12
DEAD_ONES = [DEAD, ON_BOS]  # BOS is stored, but counts nowhere
K_GROUP = "prose"  # the letter K, and so ON_K, is in documents of this group only


@dataclass(frozen=True)
class Doc:
    """A document and its group."""

    name: str
    text: str
    group: str | None
    year: int


def corpus(n: int = 40, seed: int = 3) -> list[Doc]:
    """Documents of letters, many shorter and some much longer than a window; one is empty."""
    rng = random.Random(seed)
    documents = []
    for i in range(n):
        group = GROUPS[i % 3]
        alphabet = "ABCDEFGH" * 3 + "QZXJVWY" + ("K" if group == K_GROUP else "")
        length = 0 if i == 7 else rng.choice([3, 10, 22, 23, 24, 25, 60, 100])
        text = "".join(rng.choice(alphabet) for _ in range(length))
        documents.append(Doc(f"d{i}", text, group, 1990 + i % 4))
    return documents


def save_corpus(path: Path, documents: Sequence[Doc]) -> None:
    """As JSON lines, to be added."""
    rows = ({"name": d.name, "text": d.text, "group": d.group, "year": d.year} for d in documents)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def save_model(root: Path) -> Any:
    """The model below `root`, and its tokenizer."""
    tokenizer = tiny.byte_level_tokenizer(template=None)
    model = tiny.causal_lm("gpt2", seed=11)
    wte, wpe = model.transformer.wte.weight.data, model.transformer.wpe.weight.data
    wte[:, : _PLACE_AXIS + 1] = 0  # all others are apart from what is planted
    for axis, letter in enumerate(AXES):
        wte[id_of(tokenizer, letter)] = 0
        wte[id_of(tokenizer, letter), axis] = _LENGTH
    wte[BOS_ID] = 0
    wte[BOS_ID, len(AXES)] = _LENGTH
    wpe.zero_()
    wpe[:, _PLACE_AXIS] = torch.arange(len(wpe)) * _PLACE
    model.save_pretrained(root / "models" / MODEL)
    tokenizer.save_pretrained(root / "models" / MODEL)
    return tokenizer


def id_of(tokenizer: Any, letter: str) -> int:
    """The one token that spells the letter."""
    (token_id,) = tokenizer.encode(letter, add_special_tokens=False)
    return token_id


def save_sae(root: Path, sae_id: str = SAE, **metadata: Any) -> Path:
    """The SAE with the planted features."""
    meta = {"model_name": MODEL, "hook_name": HOOK, "hf_hook_name": None} | metadata
    return tiny.save_sae(root, sae_id, "jumprelu", tensors(), meta, apply_b_dec_to_input=False)


def tensors() -> dict[str, np.ndarray]:
    """Encoder, decoder and thresholds; ON_X and ALSO_ON_X write the same, ON_V the opposite."""
    W_enc = np.zeros((tiny.D_MODEL, D_SAE), np.float32)
    for feature, letters in LETTERS.items():
        for letter in letters:
            W_enc[AXES.index(letter), feature] = STRENGTH.get(feature, 1)
        W_enc[_PLACE_AXIS, feature] = 1
    W_enc[len(AXES), ON_BOS] = 1
    b_enc = np.zeros(D_SAE, np.float32)
    b_enc[ALWAYS] = 1.5
    W_dec = np.zeros((D_SAE, tiny.D_MODEL), np.float32)
    for feature in range(D_SAE):
        W_dec[feature, _axis(feature)] = 1 + 0.1 * feature
    W_dec[ON_V] = -W_dec[ON_X]
    threshold = np.full(D_SAE, _THRESHOLD, np.float32)
    return {
        "W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": np.zeros(64, np.float32),
        "threshold": threshold,
    }  # fmt: skip


def _axis(feature: int) -> int:
    """Which letter's axis the feature writes along."""
    if feature in LETTERS:
        return AXES.index(LETTERS[feature][0])
    return {DEAD: 30, ALWAYS: 31, ON_BOS: len(AXES)}[feature]


@dataclass(frozen=True)
class Fired:
    """What is to be found of one feature."""

    positions: list[int]  # in the store
    values: list[float]
    documents: list[int]  # in the store, one for each activation


@dataclass(frozen=True)
class Expected:
    """What is to be found in the store."""

    tokens: list[str]  # letters; BOS is ""
    starts: list[int]
    documents: list[Doc]  # without the empty one
    features: dict[int, Fired]

    @property
    def n_counted(self) -> int:
        """Tokens that count: all but BOS."""
        return sum(token != "" for token in self.tokens)

    def idf(self, feature: int) -> float | None:
        """ln(D / documents with the feature)."""
        fired = len(set(self.features[feature].documents))
        return math.log(len(self.documents) / fired) if fired else None


def expected(documents: Sequence[Doc]) -> Expected:
    """By hand: windows, places in them, values."""
    kept = [document for document in documents if document.text]
    tokens: list[str] = []
    starts: list[int] = []
    found: dict[int, Fired] = {feature: Fired([], [], []) for feature in range(D_SAE)}
    for number, document in enumerate(kept):
        starts.append(len(tokens))
        tokens.append("")
        for letter, place in zip(document.text, _places(len(document.text)), strict=True):
            for feature, value in _fires(letter, place):
                found[feature].positions.append(len(tokens))
                found[feature].values.append(value)
                found[feature].documents.append(number)
            tokens.append(letter)
    return Expected(tokens, starts, kept, found)


def _places(n: int) -> Iterator[int]:
    """At which place of its window each token is read: BOS has place 0, windows later than the
    first are full and end STRIDE tokens after the one before."""
    room = CONTEXT - 1
    for i in range(n):
        if i < room:
            yield i + 1
        else:
            stop = min(room + ((i - room) // STRIDE + 1) * STRIDE, n)
            yield room - (stop - i) + 1


def _fires(letter: str, place: int) -> Iterator[tuple[int, float]]:
    yield ALWAYS, 1.5
    for feature, letters in LETTERS.items():
        if letter in letters:
            yield feature, _LENGTH * STRENGTH.get(feature, 1) + place * _PLACE
