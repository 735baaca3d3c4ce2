"""SAEs of the other architectures, loaded and computed by sae-lens, which is imported only here."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from services.lm.weight_files import broken
from services.sae.config import CONFIG, WEIGHTS, SaeConfig
from services.sae.native import read_tensors
from services.types import SaeInfo

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class SaeLensSae:
    """An SAE whose encoder is sae-lens' own."""

    info: SaeInfo
    capture_name: str
    config: SaeConfig
    sae: Any  # sae_lens.SAE
    threads: int

    @property
    def needs_whole_sequence(self) -> bool:
        """Whether positions see each other, so that a sequence cannot be encoded in parts."""
        return self.config.architecture == "temporal"

    @torch.inference_mode()
    def encode(self, x: Tensor) -> Tensor:
        """Feature activations [n, d_sae] of `x` [n, d_in]; 0 where a feature does not fire."""
        x = x.to(self.sae.device, self.sae.dtype)
        if self.config.centres_input:
            x = x - x.mean(-1, keepdim=True)
        encoded: Tensor = self.sae.encode(x.unsqueeze(0))[0]
        return encoded


def load_by_sae_lens(
    info: SaeInfo,
    config: SaeConfig,
    folder: Path,
    placement: tuple[torch.device, torch.dtype],
    capture_name: str,
    threads: int,
) -> SaeLensSae:
    """The SAE in `folder` through `SAE.load_from_disk`, its scale folded in."""
    read_tensors(folder / WEIGHTS)
    device, dtype = placement
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from sae_lens import SAE

            sae = SAE.load_from_disk(
                folder, device=str(device), dtype=str(dtype).removeprefix("torch.")
            )
    except (ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
        problem = f"is refused by sae-lens ({str(error).strip()[:160]})"
        raise broken(folder / CONFIG, problem, "convert the SAE again") from error
    if config.input_scale != 1:
        sae.fold_activation_norm_scaling_factor(config.input_scale)
    # Captured activations are flat: heads are already side by side.
    sae.turn_off_forward_pass_hook_z_reshaping()
    return SaeLensSae(info, capture_name, config, sae.eval().requires_grad_(False), threads)
