"""Delphi's LatentCache at the demo model, with its default settings: run, statistics, splits.

Delphi reads no SAELens SAE: its users give it an `encode`, here SAELens'. The clock runs from when
model and SAE are loaded until the splits are on disk.
"""

from __future__ import annotations

from pathlib import Path

from delphi.config import CacheConfig
from delphi.latents import LatentCache
from demo_model import Clock, language_model, sparse_autoencoder, task, tokens_of


def main() -> None:
    asked, settings = task(), CacheConfig()
    tokens, folder = tokens_of(asked), Path(asked["output"])
    model, sae = language_model(asked["model"]), sparse_autoencoder(asked["sae"])
    hook = f"layers.{sae.cfg.metadata.hook_name.split('.')[1]}"
    clock = Clock()
    cache = LatentCache(
        model.model, {hook: sae.encode}, batch_size=settings.batch_size, log_path=folder
    )
    cache.run(tokens.numel(), tokens)
    cache.generate_statistics_cache()
    cache.save_splits(n_splits=settings.n_splits, save_dir=folder)
    cached = cache.cache.tokens[hook].numel()  # whole batches only
    clock.report(
        cached,
        activations_per_token=len(cache.cache.latent_activations[hook]) / cached,
        sequences_per_pass=settings.batch_size,
        splits=settings.n_splits,
    )


if __name__ == "__main__":
    main()
