"""The directions that features write along, as numpy arrays, read from the weights on disk.

For maps and comparisons, which need no loaded SAE: rows of the decoder at length 1. Positive
scales of a decoder change no direction, so none is folded in here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.errors import Unsupported
from services.lm.weight_files import broken
from services.sae.config import WEIGHTS
from services.sae.feature_ids import require_feature

if TYPE_CHECKING:
    from services.sae.catalogue import SaeCatalogue, SaeEntry

_BLOCK = 2**24  # numbers that are read at once


@dataclass(frozen=True, slots=True)
class Space:
    """Where an SAE writes: directions of the same space can be compared."""

    model_id: str
    hook_name: str
    width: int


class Vectors:
    """Directions of the SAEs that are on disk.

    Raises:
        NotFound: there is no such SAE or feature.
        Unsupported: its decoder cannot be read.
    """

    def __init__(self, saes: SaeCatalogue) -> None:
        self._saes = saes

    def revision(self, sae_id: str) -> str:
        """What the weights are, as a listing sees them."""
        return self._saes.get(sae_id).info.revision

    def size(self, sae_id: str) -> int:
        """How many features the SAE has."""
        return self._saes.get(sae_id).info.d_sae

    def space(self, sae_id: str) -> Space | None:
        """Where it writes; None for transcoders that do not say."""
        from services.sae.decode import target_of

        entry = self._saes.get(sae_id)
        name = target_of(entry)
        return None if name is None else Space(entry.info.model_id, name, entry.config.d_out)

    def rows(self, sae_id: str, features: Sequence[int]) -> np.ndarray:
        """Unit directions [n, d] float32 of some features; 0 where the decoder is 0."""
        for feature in features:
            require_feature(sae_id, feature, self.size(sae_id))
        with _decoder(self._saes.get(sae_id)) as W_dec:
            return _unit(np.stack([_floats(W_dec[i : i + 1])[0] for i in features]))

    def blocks(self, sae_id: str) -> Iterator[tuple[int, np.ndarray]]:
        """All unit directions in blocks [m, d], each with the number of its first feature."""
        with _decoder(self._saes.get(sae_id)) as W_dec:
            n, width = W_dec.get_shape()
            step = max(1, _BLOCK // width)
            for start in range(0, n, step):
                yield start, _unit(_floats(W_dec[start : start + step]))


@contextmanager
def _decoder(entry: SaeEntry) -> Iterator[Any]:
    """The decoder's matrix, of which rows are read."""
    from safetensors import SafetensorError, safe_open

    path = entry.path / WEIGHTS
    try:
        with safe_open(path, framework="pt") as file:
            W_dec = file.get_slice("W_dec")
            if W_dec.get_shape()[0] != entry.info.d_sae:
                raise Unsupported(f"the decoder of SAE {entry.info.sae_id} has no row per feature")
            yield W_dec
    except (SafetensorError, OSError) as error:
        raise broken(path, f"cannot be read ({str(error)[:120]})", "copy it again") from error


def _floats(rows: Any) -> np.ndarray:
    """A copy in float32: a mapped file that is replaced would take the process down."""
    import torch

    copied: np.ndarray = rows.to(torch.float32, copy=True).numpy()
    return copied


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
