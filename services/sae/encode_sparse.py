"""From captured activations to all features that fire, as sparse rows: complete, chunk by chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from services.errors import Unsupported
from services.lm.device import memory_guard, use_threads
from services.sae.loader import Sae

if TYPE_CHECKING:
    from torch import Tensor

_CHUNK_BYTES = 64 * 2**20  # of dense features at a time; more gains nothing


class SparseRows(NamedTuple):
    """The features of `n` tokens, token by token, ascending within each."""

    lengths: np.ndarray
    """[n] int32: how many fire."""
    features: np.ndarray
    """[nnz] int32."""
    values: np.ndarray
    """[nnz] float32, none of them 0."""


@torch.inference_mode()
def encode_sparse(sae: Sae, activations: Tensor) -> SparseRows:
    """Every feature that fires at the rows of `activations` [n, d_in].

    An SAE that `needs_whole_sequence` is given one sequence, whole.
    Raises `Unsupported` when the activations do not fit the SAE or a number is not finite.
    """
    if activations.ndim != 2 or activations.shape[1] != sae.info.d_in:
        raise Unsupported(
            f"SAE {sae.info.sae_id} reads {sae.info.d_in} numbers per token, the model has "
            f"{activations.shape[-1]} at {sae.capture_name}: it belongs to another model"
        )
    use_threads(sae.threads)
    size = max(1, _CHUNK_BYTES // (4 * sae.info.d_sae))
    if sae.needs_whole_sequence:
        size = max(len(activations), 1)
    with memory_guard(f"to encode with {sae.info.sae_id}"):
        chunks = [_encoded(sae, rows) for rows in activations.split(size) if len(rows)]
    return joined(chunks)


def joined(pieces: list[SparseRows]) -> SparseRows:
    """The rows of all, one after the other."""
    if len(pieces) == 1:
        return pieces[0]
    empty = SparseRows(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))
    columns = zip(*pieces, strict=True) if pieces else ([column] for column in empty)
    return SparseRows(*map(np.concatenate, columns))


def _encoded(sae: Sae, rows: Tensor) -> SparseRows:
    features = sae.encode(rows).float()
    if features.device.type == "cpu":
        return _sparse_on_cpu(sae, features.numpy())
    token, feature = features.nonzero(as_tuple=True)
    values = features[token, feature]
    lengths = torch.bincount(token, minlength=len(features))
    found = (lengths.int().cpu(), feature.int().cpu(), values.cpu())
    return _finite(sae, SparseRows(*(column.numpy() for column in found)))


def _sparse_on_cpu(sae: Sae, features: np.ndarray) -> SparseRows:
    """By way of booleans and a flat index: a fifth of the time of torch's nonzero on two cores."""
    flat = np.flatnonzero(features != 0)
    token, feature = np.divmod(flat, features.shape[1])
    lengths = np.bincount(token, minlength=len(features)).astype(np.int32)
    values = features.ravel()[flat]
    return _finite(sae, SparseRows(lengths, feature.astype(np.int32), values))


def _finite(sae: Sae, rows: SparseRows) -> SparseRows:
    if not np.isfinite(rows.values).all():  # NaN is not 0, so it is among them
        raise Unsupported(
            f"SAE {sae.info.sae_id} gives features that are not finite: the model's activations "
            f"at {sae.capture_name} overflow in its dtype; use bfloat16 or float32",
            sae_id=sae.info.sae_id,
        )
    return rows
