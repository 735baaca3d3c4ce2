"""Loading an SAE, and whether it fits a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import torch

from services.errors import Unsupported
from services.lm.device import memory_guard, reading_threads
from services.lm.hooks import resolve
from services.lm.language_model import LanguageModel
from services.lm.loader import LOAD_LOCK
from services.lm.weight_files import revision
from services.sae.by_sae_lens import load_by_sae_lens
from services.sae.catalogue import SaeEntry
from services.sae.config import WEIGHTS, check_weights
from services.sae.native import load_native
from services.types import SaeInfo

if TYPE_CHECKING:
    from torch import Tensor


class Sae(Protocol):
    """A loaded SAE, whoever computes it."""

    @property
    def info(self) -> SaeInfo:
        """With the sha256 of the weights that were loaded."""

    @property
    def capture_name(self) -> str:
        """The hook name to capture its input at."""

    @property
    def needs_whole_sequence(self) -> bool:
        """Whether positions see each other, so that a sequence cannot be encoded in parts."""

    @property
    def threads(self) -> int:
        """CPU threads it computes with."""

    def encode(self, x: Tensor) -> Tensor:
        """Feature activations [n, d_sae] of `x` [n, d_in]; 0 where a feature does not fire."""


def load_sae(
    entry: SaeEntry,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    threads: int = 0,
) -> Sae:
    """The SAE on `device`, computing in `dtype`.

    Raises `Unsupported` that names the file and what is wrong with it, and `ResourceExhausted`.
    """
    config = entry.config
    check_weights(entry.path, config)
    info = replace(entry.info, revision=revision([entry.path / WEIGHTS], hash_large=True))
    n_threads = reading_threads(threads)
    with LOAD_LOCK, memory_guard(f"to load the SAE {info.sae_id}"):
        load: Callable[..., Sae] = load_native if config.is_native else load_by_sae_lens
        return load(info, config, entry.path, (device, dtype), entry.capture_name, n_threads)


def check_fit(lm: LanguageModel, sae: Sae) -> None:
    """Raise `Unsupported` when the model lacks the SAE's hook point or has another width there."""
    width = resolve(lm.model, sae.capture_name).width
    if width is not None and width != sae.info.d_in:
        raise Unsupported(
            f"SAE {sae.info.sae_id} reads {sae.info.d_in} numbers per token, {lm.info.model_id} "
            f"has {width} at {sae.capture_name}: it belongs to another model",
            sae_id=sae.info.sae_id,
            model_id=lm.info.model_id,
        )
