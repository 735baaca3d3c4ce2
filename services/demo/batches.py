"""Token windows: documents as token ids, mixed in stated shares, each window opened by `<bos>`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.demo import corpus, text
from services.demo.text import Message
from services.demo.tokenizer import BOS, EOS, render, token_id

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TokenIds = NDArray[np.int32]

SHARES: Final = {"code": 0.60, "code_chat": 0.07, "chat": 0.22, "plain": 0.11}
"""Share of windows per source: library sources, docstring chats, own chats, own plain text."""


class Texts(NamedTuple):
    """The training text by source, and the held-out text by kind."""

    train: dict[str, list[str]]
    validation: dict[str, list[str]]


class Mixture(NamedTuple):
    """Token streams by source, every document closed by `<eos>`."""

    streams: dict[str, TokenIds]
    bos_token_id: int

    def windows(self, rng: np.random.Generator, n_windows: int, n_ctx: int) -> TokenIds:
        """Windows drawn by `SHARES`, `[n_windows, n_ctx]`, `<bos>` in front of each."""
        names = list(SHARES)
        chosen = rng.choice(len(names), size=n_windows, p=[SHARES[name] for name in names])
        rows = [self._window(rng, names[source], n_ctx - 1) for source in chosen]
        return np.stack(rows)

    def _window(self, rng: np.random.Generator, name: str, length: int) -> TokenIds:
        stream, starts = self.streams[name], self.streams[f"{name}:starts"]
        last = len(stream) - length
        if name == "code":
            start = int(rng.integers(0, last))
        else:
            start = int(starts[rng.integers(0, np.searchsorted(starts, last))])
        window = stream[start : start + length]
        return np.concatenate(([self.bos_token_id], window)).astype(np.int32)


def gather_texts(
    n_chats: int, n_passages: int, n_documents: int | None = None, seed: int = 0
) -> Texts:
    """All text of the recipe; own text for validation comes from a seed of its own."""
    parts = corpus.split(corpus.all_documents(n_documents), seed)
    pairs = [pair for document in parts.train for pair in corpus.docstring_pairs(document)]
    train = own_texts(n_chats, n_passages, seed) | {
        "code": [document.text for document in parts.train],
        "code_chat": [render([Message("user", u), Message("assistant", a)]) for u, a in pairs],
    }
    held_out = own_texts(max(50, n_chats // 100), max(25, n_passages // 100), seed + 1)
    return Texts(train, held_out | {"code": [document.text for document in parts.validation]})


def own_texts(n_chats: int, n_passages: int, seed: int) -> dict[str, list[str]]:
    """Conversations and passages of the project's own generator."""
    rng = random.Random(seed)
    return {
        "chat": [render(text.conversation(rng)) for _ in range(n_chats)],
        "plain": [text.passage(rng) for _ in range(n_passages)],
    }


def encode_documents(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]
) -> tuple[TokenIds, TokenIds]:
    """Token ids of all texts, `[n_tokens]`, and where each text starts, `[n_texts]`."""
    eos = token_id(tokenizer, EOS)
    encoded = tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)
    rows = [np.array([*row.ids, eos], dtype=np.int32) for row in encoded]
    starts = np.cumsum([0, *(len(row) for row in rows[:-1])]).astype(np.int32)
    return np.concatenate(rows), starts


def build_mixture(tokenizer: PreTrainedTokenizerFast, texts: dict[str, list[str]]) -> Mixture:
    """The token streams of all sources, shuffled by document where the text is short."""
    streams: dict[str, TokenIds] = {}
    for name, documents in texts.items():
        shuffled = list(documents)
        random.Random(0).shuffle(shuffled)
        streams[name], streams[f"{name}:starts"] = encode_documents(tokenizer, shuffled)
    return Mixture(streams, token_id(tokenizer, BOS))


def even_windows(stream: TokenIds, bos_token_id: int, n_ctx: int, limit: int) -> TokenIds:
    """Up to `limit` windows evenly spread over a stream, `[n_windows, n_ctx]`, `<bos>` first."""
    length = n_ctx - 1
    available = len(stream) // length
    chosen = np.linspace(0, available - 1, min(limit, available)).astype(int)
    body = stream[: available * length].reshape(available, length)[chosen]
    return np.hstack([np.full((len(body), 1), bos_token_id, np.int32), body])


def held_out_windows(
    tokenizer: PreTrainedTokenizerFast, validation: dict[str, list[str]], limit: int, n_ctx: int
) -> dict[str, TokenIds]:
    """Windows of text that was never trained on: `code` of the library, `own` of the generator."""
    kinds = {"code": validation["code"], "own": validation["chat"] + validation["plain"]}
    bos = token_id(tokenizer, BOS)
    return {
        kind: even_windows(encode_documents(tokenizer, texts)[0], bos, n_ctx, limit)
        for kind, texts in kinds.items()
    }
