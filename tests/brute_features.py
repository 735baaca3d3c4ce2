"""What the table of features must say, computed feature by feature in plain Python."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from services.features.requests import SEARCH_FIELDS
from services.store import ActivationStore
from services.store.features import SCALARS
from tests.made_features import Said, words

TOP, TOKENS, EXAMPLES, WIDTH = 32, 10, 3, 10


class Brute:
    """One dictionary per feature; `statistics` are as the store keeps them, tested elsewhere."""

    def __init__(self, folder: Path, decoder: pa.Table, said: dict[int, Said]) -> None:
        files = folder.glob("features/*/features.parquet")
        kept = pl.read_parquet(next(files), columns=list(SCALARS))
        self.rows: list[dict[str, Any]] = kept.to_dicts()
        self._store = ActivationStore.open(folder)
        self._ids = self._store.token_ids(0, self._store.n_tokens)
        self._begins = self._store.documents(["start"]).column("start").to_numpy()
        self._words = ["<bos>", *words()[1:]]
        for row, written in zip(self.rows, decoder.to_pylist(), strict=True):
            self._add_texts(row)
            self._add_decoder(row, written)
            self.say(row["feature"], said.get(row["feature"]))

    def say(self, feature: int, said: Said | None) -> None:
        row = self.rows[feature]
        row["label"] = said and said.text
        row["notes"] = (said and said.notes) or None
        row["category"], row["source"] = said and said.category, said and said.source
        row["confidence"], row["skipped"] = said and said.confidence, said and said.skipped
        row["starred"] = bool(said and said.starred)
        row["n_labels"] = int(said is not None)

    def ids(self, sort: str = "feature", descending: bool = False, **filters: Any) -> list[int]:
        """The features that pass, in order."""
        passing = [row for row in self.rows if all(_passes(row, *f) for f in filters.items())]
        if filters.get("neighbour_of") is not None:
            near = dict(self.rows[filters["neighbour_of"]]["near"])
            passing = [row for row in passing if row["feature"] in near]
            passing = [row | {"cosine": near[row["feature"]]} for row in passing]
        there = [row for row in passing if row[sort] is not None]
        there.sort(key=lambda row: row["feature"])
        # Also in reverse equal ones stay in their order.
        there.sort(key=lambda row: _key(row[sort]), reverse=descending)
        missing = sorted(row["feature"] for row in passing if row[sort] is None)
        return [row["feature"] for row in there] + missing

    def _add_texts(self, row: dict[str, Any]) -> None:
        found = self._store.feature(row["feature"])
        pairs = sorted(zip(-found.values.astype(np.float32), found.positions, strict=True))[:TOP]
        top = [int(position) for _, position in pairs]
        tokens = dict.fromkeys(self._words[self._ids[position]] for position in top)
        documents: dict[int, int] = {}
        for position in top:
            number = int(np.searchsorted(self._begins, position, side="right"))
            documents.setdefault(number, position)
        examples = [self._around(n, p) for n, p in list(documents.items())[:EXAMPLES]]
        row["top_tokens"] = list(tokens)[:TOKENS]
        row["examples"] = examples

    def _around(self, number: int, position: int) -> str:
        end = self._begins[number] if number < len(self._begins) else len(self._ids)
        start = max(position - WIDTH, self._begins[number - 1])
        ids = self._ids[start : min(position + WIDTH + 1, end)]
        return "".join(self._words[i] for i in ids if i)

    def _add_decoder(self, row: dict[str, Any], written: dict[str, Any]) -> None:
        row["promoted"] = written["top_text"]
        row["decoder_norm"] = written["decoder_norm"]
        row["max_cosine"] = written["neighbour_cosine"][0]
        row["logit_max"], row["logit_min"] = written["top_weight"][0], written["bottom_weight"][0]
        row["near"] = list(zip(written["neighbour"], written["neighbour_cosine"], strict=True))


def _key(value: Any) -> Any:
    return value[:100].lower().encode() if isinstance(value, str) else value


def _passes(row: dict[str, Any], name: str, value: Any) -> bool:
    if value is None or name in ("neighbour_of", "search_in"):
        return True
    if name == "text":
        return all(_found(row, word) for word in value.lower().split())
    if name == "range":
        return all(_within(row, piece) for piece in value.split(","))
    if name == "label":
        return (row["label"] is not None) == (value == "labelled")
    if name == "dead":
        return (row["n"] == 0) == value
    if name == "skipped":
        return (row["skipped"] is not None) == value
    return row["feature"] in value if name == "ids" else row[name] == value


def _found(row: dict[str, Any], word: str) -> bool:
    texts = [row["label"], row["notes"], *row["top_tokens"], *row["examples"], *row["promoted"]]
    assert len(SEARCH_FIELDS) == 5
    return any(word in text.lower() for text in texts if text)


def _within(row: dict[str, Any], piece: str) -> bool:
    column, _, bounds = piece.partition(":")
    low, _, high = bounds.partition("..")
    value = row[column]
    return value is not None and float(low or -math.inf) <= value <= float(high or math.inf)
