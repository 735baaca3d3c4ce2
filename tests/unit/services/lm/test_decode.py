"""Decoding: the model's own words, its own probabilities, and every way to end."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

from services.errors import InvalidArgument, Unsupported
from services.lm.decode import generate
from services.lm.sampling import Sampling

GREEDY = Sampling(0, 1, 0)
WARM = Sampling(1.3, 0.95, 0)
PROMPT = [1, 20, 30, 40, 50]


def endless(lm):
    return replace(lm, eos_ids=frozenset())


@pytest.mark.parametrize("prompt", [PROMPT, [1], list(range(7, 60))])
def test_greedy_tokens_are_those_of_transformers_generate(lm, prompt):
    with torch.no_grad():
        theirs = lm.model.generate(
            torch.tensor([prompt]), max_new_tokens=40, do_sample=False, temperature=None, top_p=None
        )[0, len(prompt) :]
    assert generate(lm, prompt, GREEDY, 40, seed=0).token_ids == theirs.tolist()


def test_the_same_seed_gives_the_same_tokens_and_another_seed_others(lm):
    lm = endless(lm)
    first, again, other = (generate(lm, PROMPT, WARM, 30, s).token_ids for s in (5, 5, 6))
    assert first == again != other


def test_a_seed_holds_while_another_thread_draws_as_well(lm):
    lm = endless(lm)
    alone = {seed: generate(lm, PROMPT, WARM, 30, seed).token_ids for seed in (1, 2)}
    together: dict[int, list[int]] = {}

    def write(seed):
        together[seed] = generate(lm, PROMPT, WARM, 30, seed).token_ids

    threads = [threading.Thread(target=write, args=(seed,)) for seed in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_the_global_generator_is_left_alone(lm):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    generate(lm, PROMPT, WARM, 5, seed=1)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(1.7, 0.8, 12)])
def test_logprobs_are_the_models_own_before_temperature_and_top_p(lm, plain, sampling):
    written = generate(endless(lm), PROMPT, sampling, 30, seed=4)
    expected = plain(lm.model, PROMPT + written.token_ids)
    for i, (token, logprob) in enumerate(zip(written.token_ids, written.logprobs, strict=True)):
        # The token at position p is predicted at p - 1: neighbours would be far off.
        assert logprob == pytest.approx(expected[len(PROMPT) + i - 1, token].item(), abs=2e-4)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_cancelling_keeps_exactly_the_tokens_written_before(lm, n):
    seen: list[int] = []
    written = generate(endless(lm), PROMPT, GREEDY, 50, 0, seen.append, lambda: len(seen) >= n)
    assert written.finish_reason == "cancelled"
    assert written.token_ids == seen and len(seen) == len(written.logprobs) == n


def test_every_end_token_ends_the_text_and_is_its_last_token(lm):
    free = generate(endless(lm), PROMPT, WARM, 20, seed=8).token_ids
    end = free[6]
    written = generate(replace(lm, eos_ids=frozenset({319, end})), PROMPT, WARM, 20, seed=8)
    assert written.finish_reason == "stop"
    assert written.token_ids == free[: free.index(end) + 1]


def test_length_and_context_are_told_apart(lm):
    lm = endless(lm)
    assert generate(lm, PROMPT, GREEDY, 3, 0).finish_reason == "length"
    full = generate(lm, list(range(7, 7 + lm.n_ctx - 4)), GREEDY, 100, 0)
    assert (full.finish_reason, len(full.token_ids)) == ("context", 4)
    exact = generate(lm, list(range(7, 7 + lm.n_ctx - 4)), GREEDY, 4, 0)
    assert (exact.finish_reason, len(exact.token_ids)) == ("length", 4)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [([], "no tokens"), ([1] * 128, "shorten the prompt"), ([1, 320], "does not have")],
)
def test_an_unreadable_prompt_is_refused_before_computing(lm, prompt, said):
    with pytest.raises(InvalidArgument, match=said):
        generate(lm, prompt, GREEDY, 5, 0)


def test_a_model_that_computes_nan_is_reported_instead_of_believed(lm):
    from tests import tiny

    broken = tiny.causal_lm("llama")
    broken.model.norm.weight.data[3] = float("nan")
    with pytest.raises(Unsupported, match="NaN"):
        generate(replace(lm, model=broken), PROMPT, WARM, 5, 0)
