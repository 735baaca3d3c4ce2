"""95 % intervals of estimates, in closed form; docs/statistics.md says when they hold."""

from __future__ import annotations

import math

from services.types.features import Bounds

Z = 1.959963984540054  # of the normal distribution at 97.5 %


def wilson(n: int, of: int) -> Bounds | None:
    """Of a share; None of nothing."""
    if of <= 0:
        return None
    share, spread = n / of, Z * Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    # At the ends rounding would leave 1e-19 where the bound is 0.
    return Bounds(0.0 if n == 0 else middle - half, 1.0 if n == of else middle + half)


def of_mean(mean: float | None, std: float | None, n: int) -> Bounds | None:
    """Of a mean whose values' standard deviation (divided by n) is `std`; None below two."""
    if mean is None or std is None or n < 2:
        return None
    half = Z * std / math.sqrt(n)
    return Bounds(mean - half, mean + half)


def katz(n: int, of: int, base_n: int, base_of: int) -> Bounds | None:
    """Of the ratio of the shares n / of and base_n / base_of; None where one of them is 0."""
    if min(n, of, base_n, base_of) <= 0:
        return None
    ratio = (n / of) / (base_n / base_of)
    spread = Z * math.sqrt(max(1 / n - 1 / of + 1 / base_n - 1 / base_of, 0))
    return Bounds(ratio * math.exp(-spread), ratio * math.exp(spread))
