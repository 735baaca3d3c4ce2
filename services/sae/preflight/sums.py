"""The sums behind the metrics, in float64, token after token; definitions are in the package."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]
_DENSE = 0.1


@dataclass(slots=True)
class Groups:
    """Per group of tokens (a window, a stretch of positions): what its explained variance needs."""

    n: Array  # [groups]
    total: Array  # [groups, d] sum of y
    squares: Array  # [groups] sum of ||y||²
    errors: Array  # [groups] sum of ||y - y'||²

    @classmethod
    def empty(cls, groups: int, d: int) -> Groups:
        """No token yet."""
        return cls(np.zeros(groups), np.zeros((groups, d)), np.zeros(groups), np.zeros(groups))

    def add(self, group: NDArray[np.int64], y: Array, errors: Array) -> None:
        """Tokens `y` [n, d] with squared `errors` [n], each in its `group` [n]."""
        np.add.at(self.n, group, 1)
        np.add.at(self.total, group, y)
        np.add.at(self.squares, group, np.square(y).sum(1))
        np.add.at(self.errors, group, errors)

    def unexplained(self) -> Array:
        """FVU of each group around the mean over all groups, [groups]; NaN without variance."""
        mean = self.total.sum(0) / max(self.n.sum(), 1)
        spread = self.squares - 2 * self.total @ mean + self.n * (mean @ mean)
        return ratio(self.errors, spread)


@dataclass(slots=True)
class Sums:
    """All that is summed over the counted tokens."""

    windows: Groups
    positions: Groups
    fired: NDArray[np.int64]  # [d_sae] tokens on which each feature fires
    l0: list[Array] = field(default_factory=list)
    input_norms: list[Array] = field(default_factory=list)
    cosines: list[Array] = field(default_factory=list)
    norm_ratios: list[Array] = field(default_factory=list)
    bos_norms: list[float] = field(default_factory=list)

    def add_features(self, x: Tensor, features: Tensor) -> None:
        """Counted rows of what the SAE read, `x` [n, d_in], and of what it saw [n, d_sae]."""
        active = features != 0
        self.fired += active.sum(0).cpu().numpy()
        self.l0.append(_array(active.sum(1)))
        self.input_norms.append(np.linalg.norm(_array(x), axis=1))

    def add_outputs(self, window: int, bucket: NDArray[np.int64], y: Tensor, made: Tensor) -> None:
        """Counted rows of the target `y` [n, d] and of its reconstruction `made` [n, d]."""
        rows, again = _array(y), _array(made)
        errors = np.square(rows - again).sum(1)
        norms, made_norms = np.linalg.norm(rows, axis=1), np.linalg.norm(again, axis=1)
        self.windows.add(np.full(len(rows), window), rows, errors)
        self.positions.add(bucket, rows, errors)
        self.cosines.append(ratio((rows * again).sum(1), norms * made_norms))
        self.norm_ratios.append(ratio(made_norms, norms))

    def feature_metrics(self) -> dict[str, float | None]:
        """How many features fire and how large the inputs are."""
        l0, density = joined(self.l0), self.density()
        return {
            "l0": mean(l0),
            "l0_p10": _quantile(l0, 0.1),
            "l0_p90": _quantile(l0, 0.9),
            "dead_share": mean((density == 0).astype(float)),
            "dense_share": mean((density > _DENSE).astype(float)),
            "input_norm": mean(joined(self.input_norms)),
            "bos_norm": mean(np.array(self.bos_norms)),
        }

    def output_metrics(self) -> dict[str, float | None]:
        """How well the target is reconstructed."""
        n, d = self.windows.n.sum(), self.windows.total.shape[1]
        errors = self.windows.errors.sum()
        centre = self.windows.total.sum(0) / max(n, 1)
        spread = self.windows.squares.sum() - n * (centre @ centre)
        fvu = finite(errors / spread) if spread > 0 else None
        return {
            "explained_variance": None if fvu is None else 1 - fvu,
            "fvu": fvu,
            "mse": finite(errors / (n * d)) if n else None,
            "cosine": mean(joined(self.cosines)),
            "norm_ratio": mean(joined(self.norm_ratios)),
        }

    def density(self) -> Array:
        """Share of the counted tokens on which each feature fires, [d_sae]."""
        return self.fired / max(len(joined(self.l0)), 1)


def ratio(above: Array, below: Array) -> Array:
    """`above / below`, NaN where `below` is not positive."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def joined(parts: list[Array]) -> Array:
    """All parts one after another."""
    return np.concatenate(parts) if parts else np.zeros(0)


def mean(values: Array) -> float | None:
    """The mean of the numbers that are finite; None when there are none."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def finite(value: float) -> float | None:
    """`value`, or None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None


def _quantile(values: Array, q: float) -> float | None:
    return float(np.quantile(values, q)) if len(values) else None


def _array(tensor: Tensor) -> Array:
    return tensor.cpu().double().numpy()
