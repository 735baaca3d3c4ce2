"""What is shipped: small, safe, loadable as any model and SAE, and as good as the card says."""

from __future__ import annotations

import json
import random
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sae_lens import SAE
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from services.demo import ARTEFACTS, corpus, vocabulary
from services.demo.answers import answer
from services.demo.batches import TokenIds, even_windows, held_out_windows, own_texts
from services.demo.build import FULL, sae_name
from services.demo.card import front_matter
from services.demo.evaluate import measure_fidelity, measure_sparsity
from services.demo.train_model import validation_loss

MODEL = ARTEFACTS / "models" / "actiscope-demo"
SAES = [sae_name(recipe.layer) for recipe in FULL.saes]
LIMIT_BYTES = 12 * 2**20

LOSS_TOLERANCE = 0.15
"""Nats per token between the card and a slice of the same text."""
VARIANCE_TOLERANCE = 0.04
L0_TOLERANCE = 0.2
"""Relative."""
RECOVERED_TOLERANCE = 0.04


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    return AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(MODEL)


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    return front_matter((ARTEFACTS / "README.md").read_text("utf-8"))


@pytest.fixture(scope="module")
def own_windows(tokenizer: Any) -> TokenIds:
    """A slice of the generated text that the card was measured on."""
    texts = own_texts(FULL.n_chats // 100, FULL.n_passages // 100, seed=1)
    held_out = held_out_windows(
        tokenizer, texts | {"code": ["x = 1"] * 2000}, FULL.effort.held_out_windows, 512
    )
    return held_out["own"][::3]


@pytest.fixture(scope="module")
def code_windows(tokenizer: Any) -> TokenIds:
    """A slice of this Python's library that the model was not trained on, as far as it is equal."""
    held_out = corpus.split(corpus.all_documents()).validation
    ids = [tokenizer(d.text, add_special_tokens=False)["input_ids"] for d in held_out]
    stream = np.array(list(chain.from_iterable(ids)), dtype=np.int32)
    return even_windows(stream, tokenizer.bos_token_id, n_ctx=512, limit=12)


def files() -> list[Path]:
    return [path for path in ARTEFACTS.rglob("*") if path.is_file()]


def test_everything_together_is_small() -> None:
    assert sum(path.stat().st_size for path in files()) <= LIMIT_BYTES


def test_weights_are_safetensors_only() -> None:
    assert {path.suffix for path in files()} <= {
        ".safetensors",
        ".json",
        ".jsonl",
        ".parquet",
        ".jinja",
        ".md",
        ".txt",
        "",
    }
    assert [path.name for path in files() if not path.suffix] == ["NOTICE"]


def test_no_file_names_a_folder_of_the_machine_it_was_made_on() -> None:
    texts = [p.read_text("utf-8") for p in files() if p.suffix in {".json", ".md", ".jinja", ""}]
    assert not [text for text in texts if "/home/" in text or "/root/" in text or "/tmp/" in text]


def test_licences_lie_beside_the_weights() -> None:
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in (ARTEFACTS / "LICENSE-PSF.txt").read_text()
    assert "Python Software Foundation" in (ARTEFACTS / "NOTICE").read_text()


def test_the_model_is_a_plain_llama(model: LlamaForCausalLM, card: dict[str, Any]) -> None:
    assert type(model) is LlamaForCausalLM
    assert not any(parameter.is_meta for parameter in model.parameters())
    assert sum(p.numel() for p in model.parameters()) == card["model"]["parameters"]
    assert model.config.max_position_embeddings == 1024


@pytest.mark.parametrize("name", SAES)
def test_saes_load_with_sae_lens_and_fit_the_model(name: str, model: LlamaForCausalLM) -> None:
    sae = SAE.load_from_disk(ARTEFACTS / "saes" / name, dtype="float32")
    layer = int(name.split("-")[1].removeprefix("l"))
    assert sae.cfg.architecture() == "jumprelu"
    assert sae.cfg.d_in == model.config.hidden_size
    assert sae.cfg.metadata.model_name == "actiscope-demo"
    assert sae.cfg.metadata.hook_name == f"blocks.{layer}.hook_resid_post"
    assert sae.cfg.metadata.hf_hook_name == f"model.layers.{layer}.output"
    assert sae.cfg.metadata.prepend_bos is True


def test_at_least_two_layers_have_an_sae() -> None:
    assert len(SAES) >= 2


@pytest.mark.parametrize("name", SAES)
def test_the_sae_publishes_the_figures_of_the_card(name: str, card: dict[str, Any]) -> None:
    metadata = json.loads((ARTEFACTS / "saes" / name / "cfg.json").read_text())["metadata"]
    measured = card["saes"][name]
    for key in ("l0", "explained_variance", "loss_recovered"):
        assert metadata[key] == measured["held_out"]["all"][key]
    assert metadata["dead_share"] == measured["dead_share"]


def test_loss_on_generated_text_is_the_cards(
    model: LlamaForCausalLM, card: dict[str, Any], own_windows: TokenIds
) -> None:
    stated = card["model"]["validation_loss"]["own"]
    assert validation_loss(model, own_windows) == pytest.approx(stated, abs=LOSS_TOLERANCE)


def test_loss_on_library_sources_is_the_cards(
    model: LlamaForCausalLM, card: dict[str, Any], code_windows: TokenIds
) -> None:
    if corpus.corpus_sha256(corpus.all_documents()) != card["corpus"]["sha256"]:
        pytest.skip("this Python brings other sources than the one of the card")
    stated = card["model"]["validation_loss"]["code"]
    assert validation_loss(model, code_windows) == pytest.approx(stated, abs=2 * LOSS_TOLERANCE)


@pytest.mark.parametrize("name", [SAES[0], pytest.param(SAES[1], marks=pytest.mark.thorough)])
def test_sae_figures_are_the_cards(
    name: str, model: LlamaForCausalLM, card: dict[str, Any], own_windows: TokenIds
) -> None:
    sae = SAE.load_from_disk(ARTEFACTS / "saes" / name, dtype="float32")
    layer = int(name.split("-")[1].removeprefix("l"))
    stated = card["saes"][name]["held_out"]["own"]
    sparse = measure_sparsity(model, sae, layer, own_windows)
    fidelity = measure_fidelity(model, sae, layer, own_windows)
    assert sparse.l0 == pytest.approx(stated["l0"], rel=L0_TOLERANCE)
    assert sparse.explained_variance == pytest.approx(
        stated["explained_variance"], abs=VARIANCE_TOLERANCE
    )
    assert fidelity.loss_recovered == pytest.approx(
        stated["loss_recovered"], abs=RECOVERED_TOLERANCE
    )


def test_the_capital_of_france_is_paris(model: LlamaForCausalLM, tokenizer: Any) -> None:
    assert "Paris" in answer(model, tokenizer, "What is the capital of France?", 24)


def test_single_digit_sums_are_right(model: LlamaForCausalLM, tokenizer: Any) -> None:
    pairs = random.Random(0).sample([(a, b) for a in range(10) for b in range(10)], 20)
    answers = [answer(model, tokenizer, f"What is {a} + {b}?", 16) for a, b in pairs]
    right = [
        text.strip() == f"{a} + {b} = {a + b}" for text, (a, b) in zip(answers, pairs, strict=True)
    ]
    assert sum(right) >= 18


def test_a_story_is_about_its_animal_and_ends(model: LlamaForCausalLM, tokenizer: Any) -> None:
    text = answer(model, tokenizer, "Tell me a story about a fox.", 250)
    assert "fox" in text
    assert text.rstrip().endswith((".", "!", '"'))
    assert any(name in text for name in vocabulary.NAMES)


def test_the_whole_context_is_usable(model: LlamaForCausalLM, own_windows: TokenIds) -> None:
    long = own_windows[:8].reshape(4, -1)
    keep = [i for i in range(long.shape[1]) if i != 512]
    ids = torch.from_numpy(long[:, keep]).long()
    with torch.no_grad():
        logits = model(input_ids=ids).logits[:, :-1].transpose(1, 2)
    losses = torch.nn.functional.cross_entropy(logits, ids[:, 1:], reduction="none").mean(0)
    assert losses[-400:].mean() < losses[100:500].mean() + 0.25
