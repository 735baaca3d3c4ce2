"""What the model answers through its chat template, and how often that is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import torch

from services.demo import vocabulary as v
from services.demo.tokenizer import text_of

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

QUESTIONS: Final = (
    "What is the capital of France?",
    "What is 3 + 4?",
    "What is the opposite of hot?",
    "Which day comes after Monday?",
    "Name three colors.",
    "I am sad today.",
    "Who is the king of Spain?",
    "Write a Python function that adds two numbers.",
    "Tell me a story about a fox.",
)
"""Shown in the model card with the greedy answers."""


@torch.no_grad()
def answer(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    question: str,
    max_new_tokens: int = 200,
) -> str:
    """The greedy answer to one question of a user."""
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
    )
    ids = torch.tensor([tokenizer.encode(str(rendered), add_special_tokens=False)])
    output = cast("Any", model).generate(  # its stubs refuse every concrete class
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=max_new_tokens,
        do_sample=False,
    )
    return text_of(tokenizer, output[0, ids.shape[1] :].tolist(), skip_special_tokens=True)


def _share_right(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, pairs: Sequence[tuple[str, str]]
) -> float:
    right = [answer(model, tokenizer, q, 24).strip().rstrip(".") == a for q, a in pairs]
    return sum(right) / len(right)


def accuracy(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> dict[str, float]:
    """Share of right greedy answers to all single-digit sums, differences, and all capitals."""
    digits = range(10)
    pairs = {
        "sums": [(f"What is {a} + {b}?", f"{a} + {b} = {a + b}") for a in digits for b in digits],
        "differences": [
            (f"What is {a} - {b}?", f"{a} - {b} = {a - b}") for a in digits for b in range(a + 1)
        ],
        "capitals": [
            (f"What is the capital of {country}?", f"The capital of {country} is {city}")
            for country, city in v.CAPITALS.items()
        ],
    }
    return {name: _share_right(model, tokenizer, chosen) for name, chosen in pairs.items()}
