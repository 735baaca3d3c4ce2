"""Sampling: the stated distribution, and the limits transformers' warpers draw."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from services.lm.sampling import Sampling, sample

LOGITS = torch.tensor([2.0, 1.5, 1.0, 0.2, -0.3, -1.0, -2.0, -5.0])


def drawn(logits: torch.Tensor, sampling: Sampling, n: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.cat([sample(logits, sampling, generator) for _ in range(n)])


def theirs(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The distribution that transformers would draw from, [n_vocab]."""
    scores = TemperatureLogitsWarper(float(sampling.temperature))(None, logits[None])
    if sampling.top_k:
        scores = TopKLogitsWarper(sampling.top_k)(None, scores)
    if sampling.top_p < 1:
        scores = TopPLogitsWarper(sampling.top_p)(None, scores)
    return torch.softmax(scores, -1)[0]


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(1, 1, 0),
        Sampling(0.5, 1, 0),
        Sampling(2, 1, 0),
        Sampling(1, 0.8, 0),
        Sampling(1, 1, 3),
        Sampling(1.5, 0.7, 5),
    ],
)
def test_frequencies_follow_the_distribution(sampling):
    n = 6000
    counts = torch.bincount(drawn(LOGITS, sampling, n), minlength=len(LOGITS))
    expected = theirs(LOGITS, sampling) * n
    assert counts[expected == 0].sum() == 0
    kept = expected > 0
    chi2 = ((counts[kept] - expected[kept]) ** 2 / expected[kept]).sum()
    assert chi2 < 30  # 99.99th percentile at 7 degrees of freedom


def test_frequencies_follow_the_distribution_over_a_large_vocabulary():
    n = 300
    logits = torch.full((100_000,), -3.0)
    logits[70_000:] = -1.0
    share = theirs(logits, Sampling(1, 1, 0))[70_000:].sum()
    hits = (drawn(logits, Sampling(1, 1, 0), n) >= 70_000).float().mean()
    assert abs(hits - share) < 4 * (share * (1 - share) / n) ** 0.5


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_vocab=st.sampled_from([2, 9, 300, 1500]),
    temperature=st.floats(0.05, 2),
    top_p=st.floats(0.01, 1),
    top_k=st.integers(0, 400),
)
def test_only_tokens_that_transformers_allows_are_drawn(seed, n_vocab, temperature, top_p, top_k):
    logits = torch.randn(n_vocab, generator=torch.Generator().manual_seed(seed)) * 3
    sampling = Sampling(temperature, top_p, top_k)
    expected = theirs(logits.double(), sampling)
    for token in drawn(logits, sampling, 20, seed).tolist():
        # At the boundary of the nucleus the last bit of a sum decides.
        nearly = theirs(logits.double(), Sampling(temperature, min(1, top_p + 1e-6), top_k))
        assert expected[token] > 0 or nearly[token] > 0


@pytest.mark.parametrize(
    "sampling",
    [Sampling(0, 0.3, 5), Sampling(1, 1, 1), Sampling(1, 1e-9, 0), Sampling(1e-30, 1, 0)],
)
def test_the_narrowest_settings_give_the_most_likely_token(sampling):
    logits = torch.randn(500, generator=torch.Generator().manual_seed(1))
    assert set(drawn(logits, sampling, 30).tolist()) == {int(logits.argmax())}


def test_top_k_is_off_at_0_and_without_effect_at_the_size_of_the_vocabulary():
    reference = drawn(LOGITS, Sampling(1, 1, 0), 50)
    for top_k in (len(LOGITS), len(LOGITS) + 5):
        assert torch.equal(drawn(LOGITS, Sampling(1, 1, top_k), 50), reference)


def test_impossible_tokens_are_never_drawn():
    logits = torch.tensor([-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf])
    assert set(drawn(logits, Sampling(1, 1, 0), 300).tolist()) == {1, 3}
