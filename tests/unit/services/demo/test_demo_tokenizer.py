"""The shipped tokenizer: round trips, single digits, one token per indentation, the template."""

from __future__ import annotations

import random

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from services.demo import ARTEFACTS
from services.demo.text import Message, conversation
from services.demo.tokenizer import CHAT_TEMPLATE, MAX_POSITIONS, SPECIAL_TOKENS, render

MODEL = ARTEFACTS / "models" / "actiscope-demo"


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(MODEL)


@pytest.mark.parametrize(
    "text",
    [
        "def add(a, b):\n    return a + b\n",
        "Zoë naïve café — “quoted” …",
        "emoji 🙂🚀 and family 👩‍👩‍👧",
        "漢字かな交じり文、中文。",
        "tabs\tand\r\nwindows lines   spaces",
        "12345 + 67890 = 80235",
        "\x00\x7f\ufeff",
        "",
    ],
)
def test_text_survives_the_round_trip(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text


def test_special_tokens_have_the_first_ids(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == list(range(7))
    assert tokenizer.all_special_ids and set(tokenizer.all_special_ids) == set(range(7))
    assert tokenizer.eos_token == "<|end|>"


def test_bos_is_put_in_front_once(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer("hello")["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.bos_token_id) == 1


def test_digits_are_single_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer("2024", add_special_tokens=False)["input_ids"]
    assert [tokenizer.decode(i) for i in ids] == ["2", "0", "2", "4"]


def test_line_break_and_indentation_are_one_token(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer("x\n        y", add_special_tokens=False)["input_ids"]
    assert [tokenizer.decode(i) for i in ids] == ["x", "\n        ", "y"]


def test_the_template_writes_what_the_model_was_trained_on(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    rng = random.Random(0)
    for messages in (conversation(rng) for _ in range(20)):
        rendered = tokenizer.apply_chat_template([m._asdict() for m in messages], tokenize=False)
        assert rendered == "<bos>" + render(messages)


def test_the_generation_prompt_opens_an_answer(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.chat_template == CHAT_TEMPLATE
    messages = [Message("user", "Hi")._asdict()]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered.endswith("<|assistant|>\n")


def test_the_stated_length_is_the_models(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.model_max_length == MAX_POSITIONS == 1024
