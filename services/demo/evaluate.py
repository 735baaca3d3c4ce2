"""Measures the demo: loss of the model, fidelity and sparsity of an SAE on held-out text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from services.demo.activations import Replace, replaced, token_residuals
from services.demo.batches import TokenIds
from services.demo.train_model import validation_loss

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformers import LlamaForCausalLM

DENSE: float = 0.1
"""A feature active on more than this fraction of tokens counts as dense."""


@dataclass(frozen=True, slots=True)
class Sparsity:
    """How an SAE describes tokens: L0, explained variance, density of its features."""

    n_tokens: int
    l0: float
    l0_p5: float
    l0_p95: float
    explained_variance: float
    density: torch.Tensor
    """Fraction of tokens on which each feature is active, `[d_sae]`."""

    @property
    def dead_share(self) -> float:
        """Fraction of features active on no token at all."""
        return (self.density == 0).float().mean().item()

    @property
    def dense_share(self) -> float:
        """Fraction of features active on more than `DENSE` of the tokens."""
        return (self.density > DENSE).float().mean().item()


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Loss in nats per token: clean, with the SAE's reconstruction, with zeros in its place."""

    clean: float
    spliced: float
    zero_ablated: float

    @property
    def loss_recovered(self) -> float:
        """Share of the damage of zero ablation that the reconstruction avoids."""
        return (self.zero_ablated - self.spliced) / (self.zero_ablated - self.clean)


@torch.no_grad()
def sparsity(sae: SAE[Any], batches: Iterable[torch.Tensor]) -> Sparsity:
    """Figures over all tokens of `batches`, each `[n_tokens, d_in]`, without `<bos>`."""
    l0s, total, squares, residual = [], torch.zeros(()), torch.zeros(()), torch.zeros(())
    active = torch.zeros(sae.cfg.d_sae, dtype=torch.float64)
    for x in batches:
        features = sae.encode(x)
        l0s.append((features > 0).sum(-1))
        active += (features > 0).double().sum(0)
        residual = residual + (x - sae.decode(features)).double().square().sum()
        total, squares = total + x.double().sum(0), squares + x.double().square().sum()
    l0 = torch.cat(l0s).float()
    variance = squares - total.square().sum() / len(l0)
    return Sparsity(
        n_tokens=len(l0),
        l0=l0.mean().item(),
        l0_p5=l0.quantile(0.05).item(),
        l0_p95=l0.quantile(0.95).item(),
        explained_variance=1 - (residual / variance).item(),
        density=(active / len(l0)).float(),
    )


def measure_sparsity(
    model: LlamaForCausalLM, sae: SAE[Any], layer: int, windows: TokenIds
) -> Sparsity:
    """`sparsity` over the residual stream after `layer` of all `windows [n_windows, pos]`."""
    return sparsity(sae, token_residuals(model, layer, windows))


def measure_fidelity(
    model: LlamaForCausalLM, sae: SAE[Any], layer: int, windows: TokenIds
) -> Fidelity:
    """Loss over `windows` with the stream after `layer` untouched, reconstructed and zeroed."""

    def loss(replace: Replace) -> float:
        with replaced(model, layer, replace):
            return validation_loss(model, windows)

    return Fidelity(
        clean=validation_loss(model, windows),
        spliced=loss(lambda x: sae.decode(sae.encode(x))),
        zero_ablated=loss(torch.zeros_like),
    )
