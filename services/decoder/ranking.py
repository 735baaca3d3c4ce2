"""The largest values of rows that are computed a block of columns at a time.

Equal values are taken in the order of their columns, so that the answer does not depend on how
the columns were cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Largest:
    """The `k` largest values of each row and their columns, largest first, lower column first."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._values: Tensor | None = None
        self._ids: Tensor | None = None

    def add(self, values: Tensor, start: int) -> None:
        """Values [n, m] of the columns from `start` on; blocks come in ascending order."""
        found, ids = _largest(values, self._k)
        ids = ids + start
        if self._values is not None and self._ids is not None:
            found = torch.cat([self._values, found], 1)
            ids = torch.cat([self._ids, ids], 1)
            found, ids = _ordered(found, ids)
        self._values, self._ids = found[:, : self._k], ids[:, : self._k]

    def result(self) -> tuple[Tensor, Tensor]:
        """Values and columns [n, min(k, columns)] on the CPU."""
        assert self._values is not None and self._ids is not None
        return self._values.cpu(), self._ids.cpu()


def _largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    n = values.shape[1]
    found, ids = values.topk(min(k + 1, n), dim=1)
    if n > k:
        tied = (found[:, k] == found[:, k - 1]).nonzero()[:, 0]  # which of them topk took is open
        for row in tied.split(max(1, 2**22 // n)):
            in_order = values[row].sort(dim=1, descending=True, stable=True)
            found[row], ids[row] = in_order.values[:, : k + 1], in_order.indices[:, : k + 1]
    ids, order = ids[:, :k].sort(dim=1)
    return _ordered(found[:, :k].gather(1, order), ids)


def _ordered(values: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """By value, equal ones in the order they are in."""
    values, order = values.sort(dim=1, descending=True, stable=True)
    return values, ids.gather(1, order)


class Moments:
    """Mean and standard deviation of each row, in float64, by Chan's update."""

    def __init__(self) -> None:
        self._n = 0
        self._mean: Tensor | None = None
        self._sum_squares: Tensor | None = None  # of the deviations

    def add(self, values: Tensor) -> None:
        """Values [n, m] of further columns."""
        variance, mean = torch.var_mean(values, dim=1, correction=0)
        mean, squares = mean.cpu().double(), variance.cpu().double() * values.shape[1]
        if self._mean is None or self._sum_squares is None:
            self._n, self._mean, self._sum_squares = values.shape[1], mean, squares
            return
        n = self._n + values.shape[1]
        apart = mean - self._mean
        self._mean = self._mean + apart * (values.shape[1] / n)
        self._sum_squares += squares + apart.square() * (self._n * values.shape[1] / n)
        self._n = n

    def result(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (divided by the number of columns), [n] each."""
        assert self._mean is not None and self._sum_squares is not None
        return self._mean, (self._sum_squares / self._n).sqrt()
