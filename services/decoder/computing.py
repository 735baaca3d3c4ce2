"""Logit weights and neighbours of a few rows of a decoder, in pieces of bounded size.

Neither the matrix features x tokens nor features x features is ever in memory: of each there is
a block of at most 128 MB. What takes longer than about a second is cut into pieces: the functions
are generators that yield after each, and return what they were asked for.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from services.decoder.ranking import Largest, Moments
from services.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from services.lm.unembedding import Unembedding

ROWS = 1024  # features that are computed together, and a row group of the file
_BLOCK = 2**25  # numbers of a product
_COPIED = 2**26  # numbers of the matrix that are turned into float32 for it
_CPU_WORK = 1e10  # multiplications in a piece; an accelerator does a piece of any size in time


class LogitWeights(NamedTuple):
    """Of `n` features; ids [n, k] largest first, or smallest first."""

    mean: Tensor
    std: Tensor
    top: tuple[Tensor, Tensor]
    bottom: tuple[Tensor, Tensor]


class Neighbours(NamedTuple):
    """Of `n` features; nearest first, -inf where there are no more."""

    cosines: Tensor
    ids: Tensor


@dataclass(frozen=True, slots=True)
class Sizes:
    """How the columns of a product are cut."""

    n_columns: int
    step: int

    @property
    def pieces(self) -> int:
        """How many there are."""
        return -(-self.n_columns // self.step)

    def starts(self) -> range:
        """First column of each."""
        return range(0, self.n_columns, self.step)


def sizes(n_columns: int, width: int, device: torch.device) -> Sizes:
    """How to cut `n_columns` vectors of `width` numbers, multiplied with `ROWS` others."""
    step = min(_BLOCK // ROWS, _COPIED // width)
    if device.type == "cpu":
        step = min(step, int(_CPU_WORK / (ROWS * width)))
    return Sizes(n_columns, max(step, 256))


def influences(
    unembedding: Unembedding, directions: Tensor, n_tokens: int, top_k: int
) -> Generator[None, None, LogitWeights]:
    """Logit weights of `directions` [n, d_model] in the residual stream, of the first `n_tokens`.

    weight(i, t) = W_U[t] · norm(d_i), with the norm's division left out.
    """
    read = unembedding.read(directions.float())
    cut = sizes(n_tokens, read.shape[1], read.device)
    top, bottom, moments = Largest(top_k), Largest(top_k), Moments()
    for start in cut.starts():
        weights = _products(read, unembedding.W_U[start : min(start + cut.step, n_tokens)])
        moments.add(weights)
        top.add(weights, start)
        bottom.add(weights.neg_(), start)
        del weights
        yield
    mean, std = moments.result()
    if not bool(torch.isfinite(mean + std).all()):
        raise Unsupported(
            "there are no logit weights: the model's unembedding has numbers that are not finite "
            "(NaN): copy its weights again"
        )
    values, ids = bottom.result()
    return LogitWeights(mean, std, top.result(), (-values, ids))


def neighbours(unit: Tensor, rows: slice, top_k: int) -> Generator[None, None, Neighbours]:
    """The nearest features of those in `rows` by the cosine of directions.

    `unit` [d_sae, d] has rows of length 1, or 0 where there is no direction: these are nobody's
    neighbours and have none. A feature is not its own neighbour.
    """
    own = unit[rows]
    cut = sizes(len(unit), unit.shape[1], unit.device)
    nearest = Largest(top_k)
    for start in cut.starts():
        keys = unit[start : start + cut.step]
        nearest.add(_cosines(own, keys, rows.start - start), start)
        yield
    return Neighbours(*nearest.result())


@torch.no_grad()
def _products(read: Tensor, W_U: Tensor) -> Tensor:
    return read @ W_U.float().T


@torch.no_grad()
def _cosines(own: Tensor, keys: Tensor, ahead: int) -> Tensor:
    """Cosines [n, m]; -inf for no direction, and for row i in column `ahead` + i: itself."""
    cosines = (own @ keys.T).clamp_(-1, 1)
    none = float("-inf")
    cosines.masked_fill_(~keys.any(1)[None, :] | ~own.any(1)[:, None], none)
    i = torch.arange(len(own), device=own.device)
    i = i[(i + ahead >= 0) & (i + ahead < len(keys))]
    cosines[i, i + ahead] = none
    return cosines
