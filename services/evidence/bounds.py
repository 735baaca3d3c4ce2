"""95 % intervals of estimates, in closed form; docs/statistics.md says what they mean."""

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


def of_ratio(ratio: float, log_variance: float) -> Bounds:
    """Of a ratio whose logarithm has this variance."""
    factor = math.exp(Z * math.sqrt(log_variance))
    return Bounds(ratio / factor, ratio * factor)
