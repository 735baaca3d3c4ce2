"""One SAE's decoder table as a Parquet file: a row per feature, read a row group at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.errors import NotFound
from services.sae.feature_ids import require_feature
from services.types import (
    DecoderFeature,
    DecoderInfo,
    DecoderNorm,
    FeatureNeighbour,
    TokenWeight,
)

_FORMAT = 1
_KEY = b"actiscope.decoder"


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("item", kind, nullable=False))


SCHEMA = pa.schema(
    [
        pa.field("feature", pa.uint32(), nullable=False),
        pa.field("decoder_norm", pa.float32(), nullable=False),
        pa.field("encoder_cosine", pa.float32()),
        pa.field("logit_mean", pa.float32()),
        pa.field("logit_std", pa.float32()),
        pa.field("top_token", _list(pa.uint32())),
        pa.field("top_text", _list(pa.string())),
        pa.field("top_weight", _list(pa.float32())),
        pa.field("bottom_token", _list(pa.uint32())),
        pa.field("bottom_text", _list(pa.string())),
        pa.field("bottom_weight", _list(pa.float32())),
        pa.field("neighbour", _list(pa.uint32()), nullable=False),
        pa.field("neighbour_cosine", _list(pa.float32()), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Made:
    """What a table was made from: `files` names the weights as a listing sees them."""

    info: DecoderInfo
    sae_file: str
    model_file: str


def schema_for(made: Made) -> pa.Schema:
    """The schema of a file, with what it was made from."""
    return SCHEMA.with_metadata({_KEY: json.dumps({"format": _FORMAT, **asdict(made)})})


@dataclass(frozen=True, slots=True)
class DecoderTable:
    """The table in `path`; columns as docs/statistics.md lists them."""

    path: Path
    made: Made

    @property
    def info(self) -> DecoderInfo:
        """What it was computed from."""
        return self.made.info

    @property
    def schema(self) -> pa.Schema:
        """The file's, with what it was made from as metadata."""
        return schema_for(self.made)

    def feature(self, feature_id: int) -> DecoderFeature:
        """One feature's row. Raises `NotFound` where there is no such feature."""
        require_feature(self.info.sae_id, feature_id, self.info.d_sae)
        return self.features(feature_id, 1)[0]

    def features(self, start: int, n: int) -> list[DecoderFeature]:
        """Those from `start` on, at most `n`."""
        rows = (row for batch in self.batches(start, n) for row in batch.to_pylist())
        return [_feature(self.info, row) for row in rows]

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows, of all columns or of these."""
        with self._opened() as file:
            return file.read(columns=None if columns is None else list(columns))

    def norm(self, feature_id: int) -> DecoderNorm:
        """How long the feature's direction is. Raises `NotFound` where there is no feature."""
        own = self.feature(feature_id).decoder_norm
        with self._opened() as file:
            norms = file.read(columns=["decoder_norm"]).column(0).to_numpy().astype(np.float64)
        return DecoderNorm(
            sae_id=self.info.sae_id,
            feature_id=feature_id,
            decoder_norm=own,
            rank=int((norms > own).sum()) + 1,
            percentile=float(100 * (norms <= own).mean()),
            d_sae=len(norms),
            mean=float(norms.mean()),
            std=float(norms.std()),
        )

    def batches(self, start: int, n: int) -> Iterator[pa.RecordBatch]:
        """The rows of `n` features from `start` on, a row group in memory at a time."""
        with self._opened() as file:
            first = 0
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                low, high = max(start, first), min(start + n, first + rows)
                if low < high:
                    found = file.read_row_group(group).slice(low - first, high - low)
                    yield from found.to_batches()
                first += rows

    def _opened(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path)
        except FileNotFoundError:  # a newer one has just taken its place
            raise NotFound(
                f"the decoder table of SAE {self.info.sae_id} has just been replaced: ask again",
                sae_id=self.info.sae_id,
            ) from None


def open_table(path: Path) -> DecoderTable | None:
    """The table in `path`; None where the file is none, or of another format."""
    try:
        stored = json.loads((pq.read_schema(path).metadata or {})[_KEY])
        if stored.pop("format") != _FORMAT:
            return None
        return DecoderTable(path, Made(**{**stored, "info": DecoderInfo(**stored["info"])}))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _feature(info: DecoderInfo, row: dict[str, Any]) -> DecoderFeature:
    pairs = zip(row["neighbour"], row["neighbour_cosine"], strict=True)
    return DecoderFeature(
        sae_id=info.sae_id,
        feature_id=row["feature"],
        decoder_norm=row["decoder_norm"],
        encoder_cosine=row["encoder_cosine"],
        logit_mean=row["logit_mean"],
        logit_std=row["logit_std"],
        top=_weights(row, "top"),
        bottom=_weights(row, "bottom"),
        neighbours=tuple(FeatureNeighbour(id, cosine) for id, cosine in pairs),
    )


def _weights(row: dict[str, Any], end: str) -> tuple[TokenWeight, ...]:
    columns = (row[f"{end}_token"], row[f"{end}_text"], row[f"{end}_weight"])
    if columns[0] is None:
        return ()
    mean, std = row["logit_mean"], row["logit_std"]
    return tuple(
        TokenWeight(id, text, weight, (weight - mean) / std if std else None)
        for id, text, weight in zip(*columns, strict=True)
    )
