"""The rows of one SAE's decoder table, a row group of features at a time."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from services.decoder.computing import (
    ROWS,
    LogitWeights,
    Neighbours,
    influences,
    neighbours,
    sizes,
)
from services.decoder.directions import Directions
from services.decoder.routes import Route, find_route
from services.decoder.table import SCHEMA
from services.errors import Unsupported
from services.lm.device import memory_guard
from services.lm.tokens import token_texts
from services.lm.unembedding import Unembedding, find_unembedding
from services.sae.decode import target_of

if TYPE_CHECKING:
    from torch import Tensor

    from services.lm.language_model import LanguageModel
    from services.sae.catalogue import SaeEntry

Columns = dict[str, pa.Array]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a model's logits read what an SAE writes; `reason` where they cannot be said to."""

    route: Route | None = None
    unembedding: Unembedding | None = None
    reason: str | None = None


def find_reading(lm: LanguageModel, entry: SaeEntry) -> Reading:
    """Looked for in the model."""
    try:
        name = target_of(entry)
        if name is None:
            raise Unsupported(
                "there are no logit weights: what this transcoder writes goes to several layers, "
                "or its configuration does not say where"
            )
        route = find_route(lm, name)
        if route.width != entry.config.d_out:
            raise Unsupported(
                f"there are no logit weights: the SAE writes {entry.config.d_out} numbers, "
                f"{lm.info.model_id} has {route.width} at {name}"
            )
        return Reading(route, find_unembedding(lm))
    except Unsupported as error:
        return Reading(reason=error.message)


@dataclass(frozen=True, slots=True)
class Rows:
    """All that the rows of one table are computed from."""

    directions: Directions
    reading: Reading
    tokenizer: Any
    n_tokens: int
    top_k: int

    @property
    def d_sae(self) -> int:
        """How many rows there are."""
        return len(self.directions.unit)

    def pieces(self) -> int:
        """In how many pieces a row group is computed."""
        unit, unembedding = self.directions.unit, self.reading.unembedding
        n = sizes(len(unit), unit.shape[1], unit.device).pieces
        if unembedding is not None:
            W_U = unembedding.W_U
            n += sizes(self.n_tokens, W_U.shape[1], W_U.device).pieces
        return n

    def group(self, start: int) -> Generator[None, None, pa.Table]:
        """The rows of the features from `start` on, at most `ROWS`, in pieces."""
        chosen = slice(start, min(start + ROWS, self.d_sae))
        with memory_guard("for the decoder table"):
            columns = self._own(chosen)
            columns |= yield from self._weights(chosen)
            near = yield from neighbours(self.directions.unit, chosen, self.top_k)
        columns |= _of_neighbours(near)
        n = chosen.stop - chosen.start
        arrays = [columns.get(field.name, pa.nulls(n, field.type)) for field in SCHEMA]
        return pa.Table.from_arrays(arrays, schema=SCHEMA)

    def _own(self, chosen: slice) -> Columns:
        columns = {
            "feature": pa.array(np.arange(chosen.start, chosen.stop, dtype=np.uint32)),
            "decoder_norm": _floats(self.directions.norms[chosen]),
        }
        cosines = self.directions.encoder_cosines(chosen)
        return columns if cosines is None else columns | {"encoder_cosine": _floats(cosines)}

    def _weights(self, chosen: slice) -> Generator[None, None, Columns]:
        route, unembedding = self.reading.route, self.reading.unembedding
        if route is None or unembedding is None:
            return {}
        written = route(self.directions.rows(chosen).to(unembedding.W_U.device))
        found = yield from influences(unembedding, written, self.n_tokens, self.top_k)
        return self._of_weights(found)

    def _of_weights(self, found: LogitWeights) -> Columns:
        columns = {"logit_mean": _floats(found.mean), "logit_std": _floats(found.std)}
        for end, (values, ids) in (("top", found.top), ("bottom", found.bottom)):
            k = values.shape[1]
            different, places = np.unique(ids.numpy(), return_inverse=True)
            texts = pa.array(token_texts(self.tokenizer, different.tolist()), pa.string())
            columns[f"{end}_token"] = _lists(pa.array(ids.flatten().numpy().astype(np.uint32)), k)
            columns[f"{end}_text"] = _lists(texts.take(pa.array(places.ravel())), k)
            columns[f"{end}_weight"] = _lists(_floats(values.flatten()), k)
        return columns


def _of_neighbours(near: Neighbours) -> Columns:
    cosines, ids = near.cosines.numpy(), near.ids.numpy()
    is_there = np.isfinite(cosines)
    offsets = pa.array(np.concatenate([[0], is_there.sum(1).cumsum()]), pa.int32())

    def lists(values: np.ndarray, name: str) -> pa.Array:
        kind = SCHEMA.field(name).type
        return pa.ListArray.from_arrays(offsets, pa.array(values[is_there]), type=kind)

    return {
        "neighbour": lists(ids.astype(np.uint32), "neighbour"),
        "neighbour_cosine": lists(cosines.astype(np.float32), "neighbour_cosine"),
    }


def _lists(values: pa.Array, k: int) -> pa.Array:
    """Lists of `k` values each."""
    offsets = pa.array(np.arange(0, len(values) + 1, k), pa.int32())
    kind = pa.list_(pa.field("item", values.type, nullable=False))
    return pa.ListArray.from_arrays(offsets, values, type=kind)


def _floats(values: Tensor) -> pa.Array:
    return pa.array(values.float().cpu().numpy())
