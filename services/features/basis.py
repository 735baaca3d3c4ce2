"""What store and decoder say of an SAE's features, as columns in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.decoder.table import DecoderTable
from services.errors import NotFound
from services.features.columns import OF_STORE
from services.features.searching import lowered
from services.features.texts import TextTable
from services.sae.feature_ids import require_feature
from services.stores.reading import Reading
from services.types.features import EvidenceSource

TOKENS_SHOWN = 10
_BETWEEN = "\0"  # of the tokens of a list; no text that is searched for contains it
DecoderColumns = tuple[dict[str, np.ndarray], pa.Array, tuple[pa.Array, pa.Array]]
_PLAIN = ("decoder_norm", "encoder_cosine", "logit_mean", "logit_std")
_LISTS = ("top_text", "top_weight", "bottom_weight", "neighbour", "neighbour_cosine")


@dataclass(frozen=True)
class Basis:
    """Columns by feature; what is not known is not there."""

    sae_id: str
    n_features: int
    source: EvidenceSource | None
    numbers: Mapping[str, np.ndarray]  # [n_features] float64, NaN where there is none
    texts: TextTable | None
    promoted: pa.Array | None = None  # lists of tokens
    neighbours: tuple[pa.Array, pa.Array] | None = None  # lists of features and cosines
    _lowered: dict[str, pa.Array] = field(default_factory=dict)

    @cached_property
    def features(self) -> np.ndarray:
        """Their numbers, as the column to sort by."""
        return np.arange(self.n_features, dtype=np.float64)

    def searched(self, column: str) -> pa.Array | None:
        """Top tokens, examples or promoted tokens, without case; made when first asked for."""
        if column not in self._lowered and (lists := self._lists(column)) is not None:
            joined = pc.binary_join(lists.cast(pa.list_(pa.string())), _BETWEEN)
            self._lowered[column] = lowered(joined)
        return self._lowered.get(column)

    def _lists(self, column: str) -> pa.Array | None:
        if column == "promoted" or self.texts is None:
            return self.promoted if column == "promoted" else None
        return self.texts.top_tokens if column == "top_tokens" else self.texts.examples

    def near(self, feature: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest features of one, and their cosines.

        Raises:
            NotFound: there is no such feature, or the decoder was not looked at yet.
        """
        require_feature(self.sae_id, feature, self.n_features)
        if self.neighbours is None:
            raise NotFound(
                f"the nearest features of SAE {self.sae_id} are not known yet: an extraction with "
                f"it finds them (`actiscope extract --sae {self.sae_id} --corpus …`)",
                sae_id=self.sae_id,
            )
        ids, cosines = (lists[feature].as_py() or [] for lists in self.neighbours)
        return np.array(ids, np.int64), np.array(cosines, np.float64)


def store_numbers(reading: Reading) -> dict[str, np.ndarray]:
    """The statistics of all features; while the store fills those that are known so far."""
    if not reading.store.complete:
        n = reading.counts.astype(np.float64)
        return {"n": n, "token_density": n / max(reading.store.n_counted, 1)}
    table = reading.store.statistics_table(OF_STORE)
    return {name: _floats(table.column(name)) for name in OF_STORE}


def decoder_columns(decoder: DecoderTable) -> DecoderColumns:
    """Numbers, promoted tokens, and neighbours with their cosines, of all features."""
    table = decoder.table([*_PLAIN, *_LISTS]).combine_chunks()
    columns = {name: _one(table.column(name)) for name in table.column_names}
    numbers = {name: _floats(columns[name]) for name in _PLAIN}
    numbers["logit_max"] = _first(columns["top_weight"])
    numbers["logit_min"] = _first(columns["bottom_weight"])
    numbers["max_cosine"] = _first(columns["neighbour_cosine"])
    promoted = _one(pc.list_slice(columns["top_text"], 0, TOKENS_SHOWN))
    return numbers, promoted, (columns["neighbour"], columns["neighbour_cosine"])


def _first(lists: pa.Array) -> np.ndarray:
    """The first item of each list, NaN where there is none."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    found = np.full(len(lists), np.nan)
    starts = lists.offsets.to_numpy()[:-1]
    items = lists.values.to_numpy(zero_copy_only=False)
    found[lengths > 0] = items[starts[lengths > 0]]
    return found


def _floats(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return np.asarray(_one(column).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
