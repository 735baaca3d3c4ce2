"""An SAE of any size with a store, a decoder's table and labels, all of it made up: to be sorted,
filtered, searched and paged, and compared with what brute force says.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import insert

from db.engine import make_engine
from db.label_models import FeatureRow, LabelRevisionRow, LabelRow
from services.container import Container
from services.decoder.table import Made, schema_for
from services.sae.catalogue import SaeCatalogue
from services.store import Batch, StoreSpec, StoreWriter
from services.stores.vocabulary import SCHEMA, VOCABULARY
from services.types import DecoderInfo
from tests import tiny

SAE, STORE, MODEL = "wide", "wide-store", "nobody"
CATEGORIES = ("syntax", "topic", "100%", "code_1", None)
_WORDS = 3000
_TOP = 10  # tokens and neighbours in the decoder's table


@dataclass(frozen=True)
class Said:
    """What was said of a feature."""

    text: str
    notes: str
    category: str | None
    confidence: float | None
    source: str
    starred: bool
    skipped: str | None


def words(n: int = _WORDS, seed: int = 5) -> list[str]:
    """Different words, some with capitals, some with characters that patterns give a meaning."""
    rng = np.random.default_rng(seed)
    letters = list("abcdefghijklmnopqrstuvwxyzABCDÉß猫")
    found = {"%": None, "_": None, "\\": None, "A_b": None, "50%": None, "(.*)": None}
    while len(found) < n:
        found["".join(rng.choice(letters, rng.integers(2, 8)))] = None
    return [word if i % 3 else f" {word}" for i, word in enumerate(found)]


def make_home(home: Path, n_features: int, n_tokens: int, per_token: int = 20) -> None:
    """The SAE, its store and its decoder's table."""
    tensors = {
        "W_enc": np.ones((2, n_features), np.float32),
        "b_enc": np.zeros(n_features, np.float32),
        "W_dec": np.ones((n_features, 2), np.float32),
        "b_dec": np.zeros(2, np.float32),
    }
    tiny.save_sae(home, SAE, "standard", tensors, {"model_name": MODEL})
    make_store(home / "stores" / STORE, n_features, n_tokens, per_token)


def make_store(folder: Path, n_features: int, n_tokens: int, per_token: int) -> None:
    """A few features are dense, many are rare, some are dead; documents have 10 to 90 tokens."""
    rng = np.random.default_rng(1)
    names = np.random.default_rng(2).permutation(n_features)
    spec = StoreSpec(n_features, model_id=MODEL, sae_id=SAE, hook_name="blocks.0.hook_resid_post")
    writer = StoreWriter.open_for_resume(str(folder), spec)
    starts = np.zeros(n_tokens, bool)
    starts[np.cumsum(rng.integers(10, 90, n_tokens // 10 + 1)) % n_tokens] = True
    starts[0] = True
    ids = rng.integers(1, _WORDS, n_tokens)
    ids[starts] = 0  # a token that does not count
    drawn = (n_features * rng.random((n_tokens, per_token)) ** 3).astype(np.int64)
    drawn = np.sort(names[drawn], axis=1)
    kept = np.diff(drawn, axis=1, prepend=-1) > 0
    kept[starts] = False
    values = rng.lognormal(0, 1, kept.sum()).round(2) + 0.01
    writer.append(
        Batch(
            token_ids=ids.astype(np.uint32),
            indptr=np.concatenate([[0], np.cumsum(kept.sum(1))]),
            features=drawn[kept],
            values=values.astype(np.float32),
            starts=starts,
            documents=[{"name": f"document {i}"} for i in range(int(starts.sum()))],
            counted=~starts,
            position=0,
        )
    )
    writer.finish()
    texts = ["<bos>", *words()[1:]]
    spelled = [b"", *(text.encode() for text in texts[1:])]
    special = [True, *([False] * (_WORDS - 1))]
    columns = [range(_WORDS), texts, spelled, special]
    table = pa.table(dict(zip(SCHEMA.names, columns, strict=True)))
    pq.write_table(table.cast(SCHEMA), folder / VOCABULARY)


def make_decoder(home: Path, n: int) -> pa.Table:
    """A decoder's table of random numbers, as if an extraction had made it."""
    rng = np.random.default_rng(4)
    entry = SaeCatalogue((home,)).get(SAE)
    info = DecoderInfo(
        SAE, MODEL, entry.info.revision, "r", n, _WORDS, _TOP, "in words", None, None
    )
    tokens = rng.integers(0, _WORDS, (2, n, _TOP)).astype(np.uint32)
    texts = np.array(words(), object)
    weights = np.sort(rng.standard_normal((2, n, _TOP)), axis=2).astype(np.float32)
    neighbours = rng.integers(0, n, (n, _TOP)).astype(np.uint32)
    cosines = -np.sort(-rng.random((n, _TOP)), axis=1).astype(np.float32)

    def lists(items: np.ndarray) -> pa.Array:
        offsets = np.arange(0, items.size + 1, _TOP, dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(items.ravel()))

    columns = [
        pa.array(np.arange(n, dtype=np.uint32)),
        *(pa.array(rng.random(n).astype(np.float32)) for _ in range(4)),
        *(lists(tokens[0]), lists(texts[tokens[0]]), lists(-weights[0])),
        *(lists(tokens[1]), lists(texts[tokens[1]]), lists(weights[1])),
        *(lists(neighbours), lists(cosines)),
    ]
    schema = schema_for(Made(info, entry.info.revision, ""))
    arrays = [column.cast(field.type) for column, field in zip(columns, schema, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=schema)
    folder = home / "derived" / "decoder" / SAE
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "made.parquet", row_group_size=1024)
    return table


def said(n: int, labelled: float = 0.7, seed: int = 6) -> dict[int, Said]:
    """What people say: labels with equal texts, with other cases, of all sources."""
    rng, known = np.random.default_rng(seed), words()
    found = {}
    for feature in np.flatnonzero(rng.random(n) < labelled).tolist():
        drawn = rng.integers(0, [_WORDS, _WORDS, len(CATEGORIES), 3, 12, 40, 101])
        text = f"{known[drawn[0]].strip()} {known[drawn[1]].strip()}"
        found[feature] = Said(
            text=text.upper() if drawn[5] % 4 == 0 else text,
            notes=f"see *{known[drawn[1]].strip()}*" if drawn[5] % 5 == 0 else "",
            category=CATEGORIES[drawn[2]],
            confidence=drawn[6] / 100 if drawn[5] % 2 else None,
            source=("human", "automatic", "imported")[drawn[3]],
            starred=bool(drawn[4] == 0),
            skipped="polysemantic" if drawn[5] == 7 else None,
        )
    return found


def say(container: Container, url: str, marks: dict[int, Said]) -> None:
    """Put it into the database, as an import does."""
    container.labels.status(SAE)  # the SAE has its row
    at = datetime(2026, 1, 2, tzinfo=UTC)
    features, labels = [], []
    for feature, mark in marks.items():
        key, label_id = f"feat_sae_{SAE}_{feature}", str(uuid.UUID(int=feature + 1))
        features.append(_feature_row(key, label_id, feature, mark))
        labels.append(_label_row(key, label_id, mark, at))
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(
            insert(LabelRevisionRow), [{"sae_id": SAE, "epoch": "made", "revision": 1}]
        )
        connection.execute(insert(FeatureRow), features)
        connection.execute(insert(LabelRow), labels)
    engine.dispose()


def _feature_row(key: str, label_id: str, feature: int, mark: Said) -> dict[str, Any]:
    return {
        "feature_key": key,
        "external_sae_id": SAE,
        "neuron_index": feature,
        "is_starred": mark.starred,
        "chosen_label_id": label_id,
        "skip_reason": mark.skipped,
        "revision": 1,
    }


def _label_row(key: str, label_id: str, mark: Said, at: datetime) -> dict[str, Any]:
    return {
        "label_id": label_id,
        "feature_key": key,
        "text": mark.text,
        "category": mark.category,
        "notes": mark.notes,
        "confidence": mark.confidence,
        "source": mark.source,
        "author": "tester",
        "created_at": at,
        "updated_at": at,
    }
