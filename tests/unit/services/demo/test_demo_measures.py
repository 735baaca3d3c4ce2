"""The measuring code, on cases whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from services.demo import activations, batches, concepts, contexts, evaluate


class FakeSae:
    """Encodes with two features: positive first coordinate, positive second coordinate."""

    cfg = SimpleNamespace(d_sae=3)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, torch.zeros_like(x[:, :1])], dim=1).relu()

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        return features[:, :2]


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def test_sparsity_counts_over_all_tokens_not_over_batches() -> None:
    small, large = torch.tensor([[1.0, -1.0]]), torch.tensor([[2.0, 2.0], [0.0, 0.0], [4.0, 0.0]])
    found = evaluate.sparsity(FakeSae(), [small, large])
    x = torch.cat([small, large])
    assert found.n_tokens == 4
    assert found.l0 == pytest.approx((1 + 2 + 0 + 1) / 4)
    variance = (x - x.mean(0)).square().sum().item()
    assert found.explained_variance == pytest.approx(1 - 1.0 / variance)
    assert found.density.tolist() == pytest.approx([0.75, 0.25, 0.0])
    assert found.dead_share == pytest.approx(1 / 3)
    assert found.dense_share == pytest.approx(2 / 3)


def test_loss_recovered_is_one_for_the_clean_stream_and_zero_for_ablation() -> None:
    assert evaluate.Fidelity(2.0, 2.0, 8.0).loss_recovered == 1.0
    assert evaluate.Fidelity(2.0, 8.0, 8.0).loss_recovered == 0.0
    assert evaluate.Fidelity(2.0, 3.5, 8.0).loss_recovered == pytest.approx(0.75)


def test_residuals_are_the_hidden_states_of_the_layer(model: LlamaForCausalLM) -> None:
    ids = torch.arange(10).reshape(1, 10)
    with torch.no_grad():
        states = model(input_ids=ids, output_hidden_states=True).hidden_states
    assert torch.equal(activations.residuals(model, 0, ids), states[1])


def test_reading_leaves_no_hook_behind(model: LlamaForCausalLM) -> None:
    before = list(model.model.layers[0]._forward_hooks)
    activations.residuals(model, 0, torch.zeros(1, 4, dtype=torch.long))
    assert list(model.model.layers[0]._forward_hooks) == before


def test_replacing_keeps_the_first_position(model: LlamaForCausalLM) -> None:
    ids = torch.arange(6).reshape(1, 6)
    clean = activations.residuals(model, 1, ids)
    with activations.replaced(model, 0, lambda x: x * 5):
        changed = activations.residuals(model, 1, ids)
    assert torch.allclose(clean[:, 0], changed[:, 0], atol=1e-6)
    assert not torch.allclose(clean[:, 1:], changed[:, 1:])


def test_windows_start_with_bos_and_spread_over_the_stream() -> None:
    stream = np.arange(100, 200, dtype=np.int32)
    windows = batches.even_windows(stream, bos_token_id=1, n_ctx=11, limit=3)
    assert windows.shape == (3, 11)
    assert windows[:, 0].tolist() == [1, 1, 1]
    assert windows[0, 1] == 100
    assert windows[-1, -1] == 199


def test_concepts_mark_their_characters() -> None:
    names = list(concepts.CONCEPTS)
    text = "    def f(self):\n        return 3 + 4"
    mask = concepts.concept_mask(text)
    assert mask[text.index("self"), names.index("the word self")]
    assert mask[text.index("return"), names.index("keyword return")]
    assert mask[text.index("3"), names.index("operand before an operator")]
    assert not mask[text.index("4"), names.index("operand before an operator")]


def test_a_perfect_feature_is_found_and_scored_on_other_windows() -> None:
    n_windows, length = 8, 9
    truth = torch.zeros(n_windows * length, len(concepts.CONCEPTS))
    truth[::4, 5] = 1
    features = torch.rand(n_windows * length, 6) * 0.2
    features[:, 3] = truth[:, 5] * 7
    windows = np.zeros((n_windows, length + 1), dtype=np.int32)
    best = concepts.find_detectors(features, concepts.Labelled(windows, truth))[0]
    assert (best.concept, best.feature_index) == (list(concepts.CONCEPTS)[5], 3)
    assert (best.precision, best.recall, best.f1) == (1.0, 1.0, 1.0)


def test_random_features_are_neither_dead_nor_dense() -> None:
    density = torch.tensor([0.0, 0.5, 0.01, 0.02, 0.00001, 0.03])
    assert contexts.random_features(density, 10) == [2, 3, 5]
