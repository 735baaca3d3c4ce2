"""How values are stored: float16 where that is exact enough, never saturated, never lost.

A value v is kept as float16(v) when that is within `TOLERANCE` · |v| of it, and as float32(v)
otherwise. What is stored for a value thus depends on the value alone, not on its neighbours: an
array is float16 when all its values are, and float32 (holding the same numbers) when one is not.
"""

from __future__ import annotations

import numpy as np

from services.errors import InvalidArgument
from services.store.spec import Precision

TOLERANCE = 5e-4  # relative; rounding to float16 costs at most 2^-11 = 4.9e-4 above 6.1e-5

_HALF_ENDS = np.float32(65520)  # from here on float16 rounds to infinity
_SIGN_AND_HALF = np.int32(-0x70000001)  # without the copies of the sign between them

HALF, SINGLE = np.dtype(np.float16), np.dtype(np.float32)


def narrowed(values: np.ndarray, precision: Precision) -> np.ndarray:
    """`values` [n] as they will be stored, float16 or float32.

    Raises:
        InvalidArgument: a value is not finite, or cannot be held as exactly as asked for.
    """
    if values.dtype == HALF and precision != "float32":
        require_finite(values)
        return values
    with np.errstate(over="ignore"):
        exact = values.astype(SINGLE, copy=False)
    require_finite(exact)
    if precision == "float32":
        return exact
    with np.errstate(over="ignore"):
        half = exact.astype(HALF)
        back = widened(half)  # where half is infinite, 65536: nothing that may be kept
        fits = np.abs(back - exact) <= np.float32(TOLERANCE) * np.abs(exact)
    fits &= np.abs(exact) < _HALF_ENDS
    if fits.all():
        return half
    if precision == "float16":
        refused = float(exact[~fits][0])
        raise InvalidArgument(
            f"float16 cannot hold the activation {refused!r} within {TOLERANCE:g}: "
            "create the store with precision auto or float32",
            value=refused,
        )
    return np.where(fits, back, exact)


def require_finite(values: np.ndarray) -> None:
    """InvalidArgument when one is NaN, infinite, or beyond float32."""
    finite = np.isfinite(values)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        raise InvalidArgument(f"activation {first} of the batch is not finite", index=first)


def widened(values: np.ndarray) -> np.ndarray:
    """Finite `values` as float32, a new array. What numpy's cast does, several times faster: the
    bits of a float16, moved to their places in a float32, are the value times 2^-112.
    """
    if values.dtype != HALF:
        return values.astype(SINGLE)
    bits = values.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= _SIGN_AND_HALF
    found = bits.view(SINGLE)
    found *= np.float32(2.0**112)
    return found


def wider(dtypes: set[np.dtype]) -> np.dtype:
    """The type that holds arrays of all `dtypes`: float16 unless one is float32."""
    return SINGLE if SINGLE in dtypes else HALF


def codes(values: np.ndarray) -> np.ndarray:
    """Unsigned integers in the order of `values` [n]: uint16 of float16, uint32 of float32."""
    unsigned = np.dtype(f"u{values.itemsize}")
    bits = values.view(unsigned)
    sign = unsigned.type(1 << (8 * values.itemsize - 1))
    if values.size and bits.max() < sign:  # nothing negative
        return bits | sign
    return np.where(bits & sign, ~bits, bits | sign)


def decoded(code: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The values whose `codes` these are."""
    sign = code.dtype.type(1 << (8 * dtype.itemsize - 1))
    return np.where(code & sign, code ^ sign, ~code).view(dtype)


def codes_from(edges: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Code of the smallest `dtype` value that is not below each of the float64 `edges` [n]."""
    with np.errstate(over="ignore"):
        near = edges.astype(SINGLE).astype(dtype, copy=False)  # one of the two neighbours
    found = codes(near)
    found += near.astype(np.float64) < edges
    return found
