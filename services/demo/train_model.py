"""Trains the demo's language model: a small Llama, Muon for matrices and AdamW for the rest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from services.demo.batches import Mixture, TokenIds
from services.demo.tokenizer import END, EOS, MAX_POSITIONS, token_id

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

log = logging.getLogger(__name__)

LossFunction = Callable[["LlamaForCausalLM", torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    """Sizes of the model and the length of its training."""

    d_model: int = 256
    n_layers: int = 4
    d_mlp: int = 640
    n_heads: int = 8
    n_kv_heads: int = 2
    steps: int = 4000
    tokens_per_step: int = 4096
    time_limit_s: float = float("inf")
    """Training anneals so as to end here when the steps would take longer."""
    muon_lr: float = 0.02
    adam_lr: float = 3e-3
    anneal_from: float = 0.4
    warmup_steps: int = 40
    checkpoint_s: float = 240.0
    compiled: bool = True
    """Whether torch compiles the training step (needs a C++ compiler; a third faster)."""
    seed: int = 0


class TrainingRecord(NamedTuple):
    """How long the training was."""

    steps: int
    tokens: int
    seconds: float


class Progress(NamedTuple):
    """Where training stands, in `[0, 1]`, by steps or by time, whichever is further."""

    step: int
    fraction: float
    elapsed_s: float


def new_model(recipe: ModelRecipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained model of the recipe's sizes, projections into the residual stream at zero."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.d_model,
        intermediate_size=recipe.d_mlp,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        num_key_value_heads=recipe.n_kv_heads,
        max_position_embeddings=MAX_POSITIONS,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(config)
    for layer in model.model.layers:
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
        torch.nn.init.zeros_(layer.mlp.down_proj.weight)
    return model


def _optimizers(model: LlamaForCausalLM, recipe: ModelRecipe) -> list[torch.optim.Optimizer]:
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=recipe.muon_lr, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _schedule(recipe: ModelRecipe) -> Iterator[Progress]:
    started = time.monotonic()
    for step in range(recipe.steps):
        elapsed = time.monotonic() - started
        fraction = max(step / recipe.steps, elapsed / recipe.time_limit_s)
        if fraction >= 1:
            return
        yield Progress(step, fraction, elapsed)


def _lr_scale(recipe: ModelRecipe, progress: Progress) -> float:
    warm = min(1.0, (progress.step + 1) / recipe.warmup_steps)
    if progress.fraction < recipe.anneal_from:
        return warm
    return warm * max(0.01, (1 - progress.fraction) / (1 - recipe.anneal_from))


def context_length(progress: Progress) -> int:
    """Short windows first, the full context in the last fifth of the training."""
    if progress.fraction < 0.5:
        return MAX_POSITIONS // 4
    return MAX_POSITIONS // 2 if progress.fraction < 0.8 else MAX_POSITIONS


def next_token_loss(model: LlamaForCausalLM, input_ids: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy in nats per token of `input_ids [batch, pos]`."""
    logits = model(input_ids=input_ids, use_cache=False).logits[:, :-1]
    return cross_entropy(logits.flatten(0, 1).float(), input_ids[:, 1:].flatten())


def _step(
    model: LlamaForCausalLM,
    optimizers: list[torch.optim.Optimizer],
    input_ids: torch.Tensor,
    loss_of: LossFunction = next_token_loss,
) -> float:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(model, input_ids)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.item()


@torch.no_grad()
def validation_loss(model: LlamaForCausalLM, windows: TokenIds, batch: int = 8) -> float:
    """Mean loss in nats per token over `windows [n_windows, pos]`."""
    model.eval()
    ids = torch.from_numpy(windows).long()
    losses = [next_token_loss(model, chunk) * len(chunk) for chunk in ids.split(batch)]
    model.train()
    return float(sum(losses) / len(ids))


def train_model(
    recipe: ModelRecipe,
    tokenizer: PreTrainedTokenizerFast,
    mixture: Mixture,
    validation: TokenIds,
    checkpoints: Path,
) -> tuple[LlamaForCausalLM, TrainingRecord]:
    """The trained model in float32; a usable copy lies in `checkpoints` every few minutes."""
    model = new_model(recipe, tokenizer)
    optimizers = _optimizers(model, recipe)
    base = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    rng = np.random.default_rng(recipe.seed)
    loss_of = torch.compile(next_token_loss, dynamic=False) if recipe.compiled else next_token_loss
    saved_s = 0.0
    progress = Progress(0, 0.0, 0.0)
    for progress in _schedule(recipe):
        _set_lr(optimizers, base, _lr_scale(recipe, progress))
        n_ctx = context_length(progress)
        windows = mixture.windows(rng, max(1, recipe.tokens_per_step // n_ctx), n_ctx)
        loss = _step(model, optimizers, torch.from_numpy(windows).long(), loss_of)
        if progress.step % 100 == 0:
            _report(model, validation, progress, loss)
        if progress.elapsed_s - saved_s > recipe.checkpoint_s:
            save_model(model, tokenizer, checkpoints)
            saved_s = progress.elapsed_s
    log.info("final validation loss %.3f", validation_loss(model, validation))
    steps = progress.step + 1
    record = TrainingRecord(steps, steps * recipe.tokens_per_step, round(progress.elapsed_s))
    return model.eval(), record


def _set_lr(optimizers: list[torch.optim.Optimizer], base: list[list[float]], scale: float) -> None:
    for optimizer, rates in zip(optimizers, base, strict=True):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * scale


def _report(model: LlamaForCausalLM, validation: TokenIds, progress: Progress, loss: float) -> None:
    log.info(
        "step %d (%.0f %%) loss %.3f validation %.3f %.0f s",
        progress.step,
        100 * progress.fraction,
        loss,
        validation_loss(model, validation[:32]),
        progress.elapsed_s,
    )


def save_model(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes the model in bfloat16, its generation defaults and its tokenizer."""
    import copy

    stored = copy.deepcopy(model).eval().to(torch.bfloat16)
    stored.generation_config.update(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=[token_id(tokenizer, END), token_id(tokenizer, EOS)],
        pad_token_id=tokenizer.pad_token_id,
        do_sample=True,
        temperature=0.7,
        top_p=0.95,
        max_new_tokens=128,
    )
    stored.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
