"""Which activations a range holds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from services.evidence.choosing import within
from services.store import Activations

VALUES = [1.0, 2.0, 2.0, 3.0, 4.0, 4.0]
FOUND = Activations(0, np.arange(6, dtype=np.uint32), np.array(VALUES, np.float16))


@pytest.mark.parametrize("edges", [(1, 2, 3, 4), (1, 2, 4), (0, 2.5, 4)])
def test_ranges_that_touch_have_each_activation_once(edges: tuple[float, ...]) -> None:
    masks = [within(FOUND, low, high) for low, high in pairwise(edges)]
    assert np.sum(masks, axis=0).tolist() == [1] * 6


@pytest.mark.parametrize(
    ("low", "high", "held"),
    [
        (None, None, VALUES),
        (2, None, [2, 2, 3, 4, 4]),
        (None, 2, [1]),
        (2, 3, [2, 2]),
        (3, 4, [3, 4, 4]),
        (4, 4, [4, 4]),
        (5, 6, []),
    ],
)
def test_a_range_holds_its_low_end_and_of_high_ends_only_the_largest_activation(
    low: float | None, high: float | None, held: list[float]
) -> None:
    assert FOUND.values[within(FOUND, low, high)].tolist() == held
