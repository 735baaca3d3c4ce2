"""One forward pass over a batch of windows, and every feature of several SAEs at its new tokens."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from services.errors import ActiscopeError, Unsupported, as_product_error
from services.extraction.windows import Item
from services.lm.capture import capture_batch
from services.sae.encode_sparse import SparseRows, encode_sparse, joined

if TYPE_CHECKING:
    from torch import Tensor

    from services.lm.language_model import LanguageModel
    from services.sae.loader import Sae

Found = dict[str, list[SparseRows] | ActiscopeError]
"""By SAE: the features at the counted stored tokens of each window; or why there are none."""


@dataclass(frozen=True, slots=True)
class Counting:
    """Which tokens count: the others are stored without features."""

    bos_id: int | None  # leaves out BOS, also where a text spells it; None: BOS counts
    special_ids: np.ndarray  # leaves out these; empty: they count

    def of(self, item: Item) -> np.ndarray:
        """Whether each stored token of the window counts, [stored] bool."""
        ids = np.array(item.token_ids, np.int64)
        counted = ~np.isin(ids, self.special_ids)
        if self.bos_id is not None:
            counted &= ids != self.bos_id
        return counted


def read_batch(
    lm: LanguageModel, saes: Sequence[Sae], items: Sequence[Item], counting: Counting
) -> Found:
    """What each SAE sees in these windows. An SAE that fails does not touch the others.

    Raises what the forward pass does; an SAE whose hook point the model lacks is to be left out
    before.
    """
    names = sorted({sae.capture_name for sae in saes})
    sequences = [item.window.token_ids for item in items]
    read = capture_batch(lm, sequences, names)
    where = [item.first + np.flatnonzero(counting.of(item)) for item in items]
    picked = {name: _picked(read.pop(name), where) for name in names}
    return {sae.info.sae_id: _features(sae, picked[sae.capture_name], items) for sae in saes}


@dataclass(frozen=True, slots=True)
class _Picked:
    """The activations of one hook point where they are needed."""

    whole: Tensor  # [b, n, d], padding included
    rows: Tensor  # [m, d]: of the counted stored tokens, window by window
    where: list[np.ndarray]  # of each window, their places in it
    ends: list[int]  # of each window in `rows`, from 0


def _picked(activations: Tensor, where: list[np.ndarray]) -> _Picked:
    b, n, d = activations.shape
    flat = np.concatenate([i * n + at for i, at in enumerate(where)])
    rows = activations.reshape(b * n, d)[torch.from_numpy(flat).to(activations.device)]
    return _Picked(activations, rows, where, list(accumulate(map(len, where), initial=0)))


def _require_finite(sae: Sae, picked: _Picked, items: Sequence[Item]) -> None:
    if bool(torch.isfinite(picked.rows).all()):
        return
    row = int((~torch.isfinite(picked.rows).all(1)).nonzero()[0])
    i = bisect_right(picked.ends, row) - 1
    item, token = items[i], int(picked.where[i][row - picked.ends[i]])
    raise Unsupported(
        f"the model's activations at {sae.capture_name} are not finite in {picked.rows.dtype} at "
        f"token {token} of window {item.number} of document {item.document.number} "
        f"({item.document.name}): use bfloat16 or float32 (ACTISCOPE_DTYPE)",
        document=item.document.number,
        token=token,
    )


def _features(
    sae: Sae, picked: _Picked, items: Sequence[Item]
) -> list[SparseRows] | ActiscopeError:
    try:
        _require_finite(sae, picked, items)
        if sae.needs_whole_sequence:
            return [
                _at(encode_sparse(sae, picked.whole[i, : len(item.window.token_ids)]), at)
                for i, (item, at) in enumerate(zip(items, picked.where, strict=True))
            ]
        return list(_split(encode_sparse(sae, picked.rows), picked.ends))
    except Exception as error:  # one SAE's failure is its extraction's, not that of the others
        return as_product_error(error)


def _split(rows: SparseRows, ends: Sequence[int]) -> Iterator[SparseRows]:
    """The rows of each window."""
    starts = np.concatenate([[0], np.cumsum(rows.lengths, dtype=np.int64)])
    for first, stop in pairwise(ends):
        nnz = slice(starts[first], starts[stop])
        yield SparseRows(rows.lengths[first:stop], rows.features[nnz], rows.values[nnz])


def _at(rows: SparseRows, wanted: np.ndarray) -> SparseRows:
    """Some of the rows, ascending."""
    each = list(_split(rows, range(len(rows.lengths) + 1)))
    return joined([each[i] for i in wanted])
