"""Trains the demo's SAEs with sae-lens: BatchTopK, saved in its disk format as JumpReLU."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from services.demo.activations import token_residuals
from services.demo.batches import Mixture

if TYPE_CHECKING:
    from sae_lens import BatchTopKTrainingSAE, SAETrainer
    from transformers import LlamaForCausalLM

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SaeRecipe:
    """Size of an SAE and the length of its training."""

    layer: int
    model_name: str
    d_sae: int = 1536
    k: int = 20
    n_tokens: int = 1_500_000
    batch_tokens: int = 2048
    lr: float = 1e-3
    n_ctx: int = 512
    buffer_tokens: int = 65_536
    scale_batches: int = 20
    seed: int = 1

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.n_tokens // self.batch_tokens


def _activations(
    model: LlamaForCausalLM, mixture: Mixture, recipe: SaeRecipe
) -> Iterator[torch.Tensor]:
    """Shuffled activations without `<bos>`, whose norm is an outlier, `[batch, d_in]`."""
    from sae_lens.training.mixing_buffer import mixing_buffer

    rng = np.random.default_rng(recipe.seed)

    def endless() -> Iterator[torch.Tensor]:
        while True:
            windows = mixture.windows(rng, 16, recipe.n_ctx)
            yield from token_residuals(model, recipe.layer, windows)

    return mixing_buffer(
        buffer_size=recipe.buffer_tokens,
        batch_size=recipe.batch_tokens,
        activations_loader=endless(),
        mix_fraction=0.5,
    )


def _new_sae(recipe: SaeRecipe, d_in: int) -> BatchTopKTrainingSAE:
    from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    metadata = SAEMetadata(
        model_name=recipe.model_name,
        hook_name=f"blocks.{recipe.layer}.hook_resid_post",
        hf_hook_name=f"model.layers.{recipe.layer}.output",
        prepend_bos=True,
        context_size=recipe.n_ctx,
        dataset_path="CPython standard library and generated text",
    )
    config = BatchTopKTrainingSAEConfig(
        k=recipe.k,
        d_in=d_in,
        d_sae=recipe.d_sae,
        normalize_activations="expected_average_only_in",
        metadata=metadata,
    )
    return BatchTopKTrainingSAE(config)


def _new_trainer(
    recipe: SaeRecipe, sae: BatchTopKTrainingSAE, data: Iterator[torch.Tensor]
) -> SAETrainer[Any, Any]:
    from sae_lens import LoggingConfig, SAETrainer
    from sae_lens.config import SAETrainerConfig

    config = SAETrainerConfig(
        total_training_samples=recipe.n_tokens,
        train_batch_size_samples=recipe.batch_tokens,
        lr=recipe.lr,
        lr_end=recipe.lr / 20,
        lr_warm_up_steps=min(50, recipe.steps // 4),
        lr_decay_steps=recipe.steps * 3 // 10,
        dead_feature_window=100,
        feature_sampling_window=200,
        n_batches_for_norm_estimate=recipe.scale_batches,
        logger=LoggingConfig(log_to_wandb=False),
        device="cpu",
    )
    return SAETrainer(cfg=config, sae=sae, data_provider=data)


def _start_at_mean(trainer: SAETrainer[Any, Any], recipe: SaeRecipe) -> None:
    """Sets the scale and puts the mean into `b_dec`, so that no feature has to stand for it."""
    trainer.activation_scaler.estimate_scaling_factor(
        d_in=trainer.sae.cfg.d_in,
        data_provider=trainer.data_provider,
        n_batches_for_norm_estimate=recipe.scale_batches,
    )
    mean = torch.stack([next(trainer.data_provider).mean(0) for _ in range(recipe.scale_batches)])
    trainer.sae.b_dec.data = mean.mean(0) * trainer.activation_scaler.scaling_factor


def _fit(trainer: SAETrainer[Any, Any]) -> None:
    while trainer.n_training_samples < trainer.cfg.total_training_samples:
        trainer.maybe_reset_sparsity()
        output = trainer.step(next(trainer.data_provider))
        trainer.n_training_steps += 1
        if trainer.n_training_steps % 100 == 0:
            figures = trainer.build_train_step_log_dict(output, trainer.n_training_samples)
            log.info(
                "step %d explained variance %.3f L0 %.1f dead %d",
                trainer.n_training_steps,
                figures["metrics/explained_variance"],
                figures["metrics/l0"],
                figures["sparsity/dead_features"],
            )


def train_sae(model: LlamaForCausalLM, mixture: Mixture, recipe: SaeRecipe, folder: Path) -> None:
    """Trains one SAE after `recipe.layer` and writes it to `folder` in float16."""
    torch.manual_seed(recipe.seed)
    sae = _new_sae(recipe, model.config.hidden_size)
    trainer = _new_trainer(recipe, sae, _activations(model, mixture, recipe))
    _start_at_mean(trainer, recipe)
    _fit(trainer)
    sae.fold_activation_norm_scaling_factor(trainer.activation_scaler.scaling_factor)
    trainer.set_final_sae_metadata()
    sae.save_inference_model(folder)
    store_half(folder)


def store_half(folder: Path) -> None:
    """Rewrites the SAE of `folder` with float16 weights and says so in its configuration."""
    import json

    from safetensors.torch import load_file, save_file

    weights = folder / "sae_weights.safetensors"
    save_file({k: v.half().contiguous() for k, v in load_file(weights).items()}, weights)
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps(config | {"dtype": "float16"}, indent=2) + "\n")
