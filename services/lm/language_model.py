"""A loaded language model with all that decoding and capturing need to know about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.types import ModelInfo

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A causal language model on its device, in evaluation mode, and its tokenizer."""

    info: ModelInfo  # with the revision of the weights that were loaded
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    device: torch.device
    dtype: torch.dtype
    eos_ids: frozenset[int]  # every id after which the model has ended its text
    special_ids: frozenset[int]
    threads: int  # CPU threads for writing token by token
    reading_threads: int  # CPU threads for a whole sequence
    has_cache: bool = True  # False: each further token reads the whole sequence again

    @property
    def n_ctx(self) -> int:
        """Longest sequence, prompt and output together, in tokens."""
        return self.info.n_ctx
