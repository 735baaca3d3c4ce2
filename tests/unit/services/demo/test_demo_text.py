"""The generator's texts: the same for the same seed, and true."""

from __future__ import annotations

import operator
import random
import re
from collections import Counter

import pytest

from services.demo import questions, text
from services.demo import vocabulary as v
from services.demo.stories import PLOTS, story

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}
EQUATION = re.compile(r"(\d+) ([+\-*]) (\d+) = (-?\d+)")


def corpus(seed: int, n: int = 1500) -> list[str]:
    """Answers of conversations, and passages."""
    rng = random.Random(seed)
    passages = [text.passage(rng) for _ in range(n // 3)]
    chats = [text.conversation(rng) for _ in range(n)]
    return passages + [m.content for chat in chats for m in chat if m.role == "assistant"]


def test_equal_seeds_give_equal_texts_and_other_seeds_others() -> None:
    assert corpus(7, 60) == corpus(7, 60)
    assert corpus(7, 60) != corpus(8, 60)


def test_every_equation_is_right() -> None:
    equations = [match for line in corpus(1) for match in EQUATION.findall(line)]
    assert len(equations) > 500
    for a, sign, b, result in equations:
        assert OPERATORS[sign](int(a), int(b)) == int(result), (a, sign, b, result)


def test_all_single_digit_sums_and_differences_are_asked() -> None:
    rng = random.Random(2)
    asked = {questions.addition(rng).answer for _ in range(5000)}
    asked |= {questions.subtraction(rng).answer for _ in range(5000)}
    sums = {f"{a} + {b} = {a + b}" for a in range(10) for b in range(10)}
    assert sums <= asked
    assert {f"{a} - {b} = {a - b}" for a in range(10) for b in range(a + 1)} <= asked


def test_every_capital_belongs_to_its_country() -> None:
    found = re.findall(r"The capital of ([\w ]+) is ([\w ]+)\.", "\n".join(corpus(3)))
    assert len(found) > 50
    assert all(v.CAPITALS[country] == city for country, city in found)
    assert v.CAPITALS["France"] == "Paris"
    assert len(set(v.CAPITALS.values())) == len(v.CAPITALS)


def test_what_comes_after_is_what_comes_after() -> None:
    rng = random.Random(4)
    answers = {questions.after(rng).answer for _ in range(3000)}
    assert "After Sunday comes Monday." in answers
    assert "After December comes January." in answers
    assert "After Y comes Z." in answers
    assert not any(answer.startswith("After Z ") for answer in answers)


@pytest.mark.parametrize("seed", range(20))
def test_comparisons_and_parity_hold(seed: int) -> None:
    rng = random.Random(seed)
    greater, smaller = map(int, re.findall(r"\d", _statement(rng)))
    assert greater > smaller
    number, kind = questions.parity(rng).answer.rstrip(".").split(" is ")
    assert (int(number) % 2 == 1) == (kind == "odd")


def _statement(rng: random.Random) -> str:
    while True:
        answer = questions.comparison(rng).answer
        if not answer.startswith("No"):
            return answer


def test_a_story_keeps_its_hero_and_the_pronoun() -> None:
    rng = random.Random(5)
    for _ in range(200):
        words = re.findall(r"\w+", story(rng, animal="fox", name="Anna"))
        assert "Anna" in words
        assert not {"he", "He"} & set(words)


def test_no_slot_of_a_plot_is_left_open() -> None:
    assert len(PLOTS) == 5
    stories = [story(random.Random(seed)) for seed in range(500)]
    assert not [line for line in stories if "{" in line or "}" in line]


def test_articles_fit_their_nouns() -> None:
    everything = " ".join(corpus(9))
    assert not re.findall(r"\b[Aa] (?=owl|orange|ant\b|elephant|apple)", everything)
    assert not re.findall(r"\ban (?=fox|blue|lion)", everything)


def test_roles_alternate_and_end_with_the_assistant() -> None:
    rng = random.Random(10)
    lengths: Counter[int] = Counter()
    for _ in range(500):
        roles = [m.role for m in text.conversation(rng) if m.role != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        lengths[len(roles) // 2] += 1
    assert set(lengths) == {1, 2, 3, 4}


def test_generated_code_is_python() -> None:
    for _, code in text.CODE_TASKS:
        compile(code, "<generated>", "exec")
