"""SAEs of the simple architectures, read and computed without sae-lens.

`W_enc [d_in, d_sae]`, `b_enc [d_sae]`, `W_dec [d_sae, d_out]`, `b_dec [d_out]`,
`threshold [d_sae]`. Only what encoding needs stays in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from services.lm.weight_files import broken
from services.sae.config import WEIGHTS, SaeConfig
from services.types import SaeInfo

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class NativeSae:
    """An SAE's encoder on its device."""

    info: SaeInfo
    capture_name: str
    config: SaeConfig
    W_enc: Tensor
    b_enc: Tensor
    b_dec: Tensor | None  # subtracted from the input; None where the SAE does not do that
    threshold: Tensor | None  # jumprelu: a feature fires above it, and above 0
    decoder_norm: Tensor | None  # [d_sae], scales pre-activations before the top k are taken
    threads: int
    needs_whole_sequence: bool = False

    @torch.inference_mode()
    def encode(self, x: Tensor) -> Tensor:
        """Feature activations [n, d_sae] of `x` [n, d_in]; 0 where a feature does not fire."""
        x = self._normalised(x.to(self.W_enc.device, self.W_enc.dtype))
        if self.b_dec is not None:
            x = x - self.b_dec
        hidden = torch.addmm(self.b_enc, x, self.W_enc)
        # In place from here on: at 32,768 features each temporary costs as much as the result.
        if self.decoder_norm is not None:
            hidden *= self.decoder_norm
        if self.config.k is not None:
            return self._top_k(hidden, self.config.k)
        if self.threshold is not None:
            return hidden.masked_fill_(hidden <= self.threshold, 0)
        return hidden.relu_()

    def _normalised(self, x: Tensor) -> Tensor:
        if self.config.centres_input:
            x = x - x.mean(-1, keepdim=True)
        if self.config.normalize_activations == "layer_norm":
            x = x - x.mean(-1, keepdim=True)
            x = x / (x.std(-1, keepdim=True) + 1e-5)
        if self.config.normalize_activations == "constant_norm_rescale":
            x = x * (self.config.d_in**0.5 / x.norm(dim=-1, keepdim=True))
        return x

    def _top_k(self, hidden: Tensor, k: int) -> Tensor:
        by_size = self.config.architecture == "abstopk"
        ids = (hidden.abs() if by_size else hidden).topk(k, sorted=False).indices
        values = hidden.gather(-1, ids)
        return torch.zeros_like(hidden).scatter_(-1, ids, values if by_size else values.relu())


def load_native(
    info: SaeInfo,
    config: SaeConfig,
    folder: Path,
    placement: tuple[torch.device, torch.dtype],
    capture_name: str,
    threads: int,
) -> NativeSae:
    """The SAE in `folder`, its scale folded in, on the device and in the dtype of `placement`."""
    tensors = read_tensors(folder / WEIGHTS)
    if config.input_scale != 1:
        tensors["W_enc"] = tensors["W_enc"].float() * config.input_scale
        tensors["b_dec"] = tensors["b_dec"].float() / config.input_scale
    norm = tensors["W_dec"].float().norm(dim=-1) if config.rescale_acts_by_decoder_norm else None
    if norm is not None:
        norm = norm / config.input_scale

    def place(tensor: Any) -> Any:
        # A copy in any case: a mapped file that is replaced would take the process down.
        return None if tensor is None else tensor.to(*placement, copy=True).contiguous()

    threshold = tensors["threshold"].clamp(min=0) if config.is_jumprelu else None
    return NativeSae(
        info=info,
        capture_name=capture_name,
        config=config,
        W_enc=place(tensors["W_enc"]),
        b_enc=place(tensors["b_enc"]),
        b_dec=place(tensors["b_dec"] if config.apply_b_dec_to_input else None),
        threshold=place(threshold),
        decoder_norm=place(norm if config.k is not None else None),
        threads=threads,
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of the file, each of finite numbers; `Unsupported` otherwise."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise broken(path, f"cannot be read ({str(error)[:120]})", "copy it again") from error
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise broken(path, f"has NaN or infinite numbers in {name}", "copy or train it again")
    scale = tensors.get("scaling_factor")
    if scale is not None and not bool((scale == 1).all()):
        raise broken(path, "has a finetuning scale", "fold it into the weights")
    return tensors
