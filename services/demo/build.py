"""Runs the recipe from text to model card: `python -m services.demo.build --out FOLDER`."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from services.demo import ARTEFACTS, corpus
from services.demo.batches import Mixture, Texts, build_mixture, gather_texts, held_out_windows
from services.demo.card import Card, write_card
from services.demo.measure import (
    Effort,
    SaeReport,
    environment,
    load_model,
    load_sae,
    measure_model,
    measure_sae,
    sample_answers,
)
from services.demo.tokenizer import train_tokenizer
from services.demo.train_model import ModelRecipe, TrainingRecord, save_model, train_model
from services.demo.train_saes import SaeRecipe, train_sae

log = logging.getLogger(__name__)

MODEL_NAME: Final = "actiscope-demo"
TOKENIZER_TEXTS: Final = 20_000
"""Texts per source that the tokenizer is trained on."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that shapes the demo."""

    model: ModelRecipe
    saes: tuple[SaeRecipe, ...]
    effort: Effort
    n_vocab: int = 4096
    n_chats: int = 60_000
    n_passages: int = 16_000
    n_documents: int | None = None
    """Documents of the library, all of them by default."""


FULL: Final = Recipe(
    ModelRecipe(), tuple(SaeRecipe(layer, MODEL_NAME) for layer in (1, 2)), Effort()
)
TOY: Final = Recipe(
    ModelRecipe(d_model=32, n_layers=2, d_mlp=64, n_heads=2, n_kv_heads=1, steps=6,
                tokens_per_step=1024, compiled=False),
    (SaeRecipe(0, MODEL_NAME, d_sae=64, k=4, n_tokens=8_192, batch_tokens=512, n_ctx=128,
               buffer_tokens=4_096, scale_batches=2),),
    Effort(held_out_windows=4, n_ctx=128, density_tokens=4_000, labelled_chars=20_000,
           random_features=2, answers=False),
    n_vocab=512, n_chats=300, n_passages=100, n_documents=60,
)  # fmt: skip
"""The whole recipe in seconds; shows that it runs, makes nothing of use."""


def sae_name(layer: int) -> str:
    """The folder of the SAE on the residual stream after `layer`."""
    return f"demo-l{layer}-res"


def build(recipe: Recipe, out: Path, *, resume: bool = False, readings: str = "") -> None:
    """Trains, measures and describes the demo in `out`; `resume` keeps what already lies there."""
    texts = gather_texts(recipe.n_chats, recipe.n_passages, recipe.n_documents)
    model_folder = out / "models" / MODEL_NAME
    if not (resume and (model_folder / "model.safetensors").exists()):
        _train_model(recipe, texts, out)
    model, tokenizer = load_model(model_folder)
    mixture = build_mixture(tokenizer, texts.train)
    for sae in recipe.saes:
        folder = out / "saes" / sae_name(sae.layer)
        if not (resume and (folder / "sae_weights.safetensors").exists()):
            train_sae(model, mixture, sae, folder)
    _describe(recipe, texts, mixture, out, readings)


def _train_model(recipe: Recipe, texts: Texts, out: Path) -> None:
    sample = (text for source in texts.train.values() for text in source[:TOKENIZER_TEXTS])
    tokenizer = train_tokenizer(sample, recipe.n_vocab)
    mixture = build_mixture(tokenizer, texts.train)
    effort = recipe.effort
    held_out = held_out_windows(tokenizer, texts.validation, effort.held_out_windows, effort.n_ctx)
    model, record = train_model(
        recipe.model, tokenizer, mixture, held_out["code"], out / "work" / "checkpoint"
    )
    save_model(model, tokenizer, out / "models" / MODEL_NAME)
    _record_path(out).write_text(json.dumps(record._asdict()))


def _record_path(out: Path) -> Path:
    path = out / "work" / "training.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _describe(recipe: Recipe, texts: Texts, mixture: Mixture, out: Path, readings: str) -> None:
    model, tokenizer = load_model(out / "models" / MODEL_NAME)
    reports: dict[str, SaeReport] = {}
    for sae_recipe in recipe.saes:
        name = sae_name(sae_recipe.layer)
        sae = load_sae(out / "saes" / name)
        reports[name] = measure_sae(model, tokenizer, sae, texts, mixture, recipe.effort)
        _publish_figures(out / "saes" / name / "cfg.json", reports[name].measured)
    facts = _provenance(recipe, out) | {
        "model": measure_model(model, tokenizer, texts, recipe.effort)
    }
    answers = sample_answers(model, tokenizer) if recipe.effort.answers else []
    write_card(Card(facts, reports, answers, readings), out / "README.md")
    _write_licences(out)


def _provenance(recipe: Recipe, out: Path) -> dict[str, Any]:
    documents = corpus.all_documents(recipe.n_documents)
    record = TrainingRecord(**json.loads(_record_path(out).read_text()))
    return {
        "license": "apache-2.0",
        "model_name": MODEL_NAME,
        "environment": environment(),
        "corpus": {"documents": len(documents), "sha256": corpus.corpus_sha256(documents)},
        "training": record._asdict(),
    }


def _publish_figures(config_path: Path, measured: dict[str, Any]) -> None:
    """Adds the figures on all held-out text to the SAE's metadata, for later comparison."""
    config = json.loads(config_path.read_text())
    held_out = measured["held_out"]["all"]
    published = {key: held_out[key] for key in ("l0", "explained_variance", "loss_recovered")}
    config["metadata"] |= published | {"dead_share": measured["dead_share"]}
    config_path.write_text(json.dumps(config, indent=2) + "\n")


def _write_licences(out: Path) -> None:
    licence = Path(sysconfig.get_paths()["stdlib"]) / "LICENSE.txt"
    if licence.exists():
        shutil.copyfile(licence, out / "LICENSE-PSF.txt")
    (out / "NOTICE").write_text(NOTICE, encoding="utf-8")


NOTICE: Final = """Embedded demo of Actiscope: language model, tokenizer, autoencoders and a corpus.

The weights were trained by the recipe in services/demo on
  1. sources and help topics of the Python standard library,
     Copyright (c) 2001 and later years, Python Software Foundation; All Rights
     Reserved, under the agreement in LICENSE-PSF.txt, where the notice stands
     in full. Files whose head names
     a licence of their own were left out. A model may repeat fragments of the
     text it has read; such fragments stay under that agreement. Changes made
     to the text: white space cleaned, split into tokens.
  2. text written by the generator in services/demo (Apache-2.0).

The corpus in corpora/demo holds 12 documents of the first kind in full, under the
same agreement (those whose column is_generated is false), with the same changes to
their white space; all others are of the second kind.
"""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="services.demo.build", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help=f"not {ARTEFACTS.name}/ itself")
    parser.add_argument("--steps", type=int, help="steps of the language model")
    parser.add_argument("--minutes", type=float, help="anneal so as to end within this time")
    parser.add_argument("--sae-tokens", type=int, help="tokens each SAE is trained on")
    parser.add_argument("--toy", action="store_true", help="the whole recipe in seconds")
    parser.add_argument("--resume", action="store_true", help="keep what lies in the folder")
    parser.add_argument("--readings", type=Path, help="Markdown to include in the model card")
    return parser.parse_args(argv)


def _recipe(arguments: argparse.Namespace) -> Recipe:
    recipe = TOY if arguments.toy else FULL
    if arguments.steps:
        recipe = replace(recipe, model=replace(recipe.model, steps=arguments.steps))
    if arguments.minutes:
        limit = replace(recipe.model, time_limit_s=60 * arguments.minutes)
        recipe = replace(recipe, model=limit)
    if arguments.sae_tokens:
        saes = tuple(replace(sae, n_tokens=arguments.sae_tokens) for sae in recipe.saes)
        recipe = replace(recipe, saes=saes)
    return recipe


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of `python -m services.demo.build`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    arguments = _arguments(argv)
    readings = arguments.readings.read_text("utf-8") if arguments.readings else ""
    build(_recipe(arguments), arguments.out, resume=arguments.resume, readings=readings)


if __name__ == "__main__":
    main()
