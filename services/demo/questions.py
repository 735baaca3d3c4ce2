"""Questions with their true answers: facts, arithmetic, order, words. One function per kind."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, NamedTuple

from services.demo import vocabulary as v
from services.demo.stories import with_article


class Exchange(NamedTuple):
    """What a user asks and what the assistant answers; the answer stands alone as a statement."""

    question: str
    answer: str


def _pick(rng: random.Random, table: dict[str, str]) -> tuple[str, str]:
    return rng.choice(list(table.items()))


def capital(rng: random.Random) -> Exchange:
    """The capital of a country."""
    country, city = _pick(rng, v.CAPITALS)
    forms = (
        "What is the capital of {}?",
        "Which city is the capital of {}?",
        "Tell me the capital of {}.",
        "What is the capital city of {}?",
    )
    return Exchange(rng.choice(forms).format(country), f"The capital of {country} is {city}.")


def country_of(rng: random.Random) -> Exchange:
    """The country of a capital."""
    country, city = _pick(rng, v.CAPITALS)
    forms = ("In which country is {}?", "Where is {}?", "Which country is {} in?")
    return Exchange(rng.choice(forms).format(city), f"{city} is in {country}.")


def addition(rng: random.Random) -> Exchange:
    """A sum of two single digits."""
    a, b = rng.randint(0, 9), rng.randint(0, 9)
    forms = (
        "What is {} + {}?",
        "{} + {}",
        "{} + {} =",
        "What is {} plus {}?",
        "Add {} and {}.",
        "How much is {} + {}?",
        "Calculate {} + {}.",
    )
    return Exchange(rng.choice(forms).format(a, b), f"{a} + {b} = {a + b}")


def subtraction(rng: random.Random) -> Exchange:
    """A difference of two single digits that is not negative."""
    a = rng.randint(0, 9)
    b = rng.randint(0, a)
    forms = (
        "What is {} - {}?",
        "{} - {}",
        "{} - {} =",
        "What is {} minus {}?",
        "How much is {} - {}?",
    )
    return Exchange(rng.choice(forms).format(a, b), f"{a} - {b} = {a - b}")


def multiplication(rng: random.Random) -> Exchange:
    """A product of two numbers up to five."""
    a, b = rng.randint(0, 5), rng.randint(0, 5)
    forms = ("What is {} * {}?", "{} * {}", "What is {} times {}?", "How much is {} * {}?")
    return Exchange(rng.choice(forms).format(a, b), f"{a} * {b} = {a * b}")


def comparison(rng: random.Random) -> Exchange:
    """Which of two digits is the greater one."""
    a, b = rng.sample(range(10), 2)
    if rng.random() < 0.5:
        return Exchange(
            f"Which is greater, {a} or {b}?", f"{max(a, b)} is greater than {min(a, b)}."
        )
    verdict = f"Yes, {a} is" if a > b else f"No, {a} is not"
    return Exchange(f"Is {a} greater than {b}?", f"{verdict} greater than {b}.")


def parity(rng: random.Random) -> Exchange:
    """Whether a digit is even or odd."""
    number = rng.randint(0, 9)
    kind = "odd" if number % 2 else "even"
    return Exchange(f"Is {number} even or odd?", f"{number} is {kind}.")


def counting(rng: random.Random) -> Exchange:
    """Counting between two numbers below ten."""
    first, last = sorted(rng.sample(range(10), 2))
    numbers = ", ".join(str(n) for n in range(first, last + 1))
    return Exchange(f"Count from {first} to {last}.", f"{numbers}.")


def number_word(rng: random.Random) -> Exchange:
    """A number written as a word."""
    number = rng.randint(0, 12)
    return Exchange(
        f"How do you write {number} as a word?", f"{number} is {v.NUMBER_WORDS[number]}."
    )


def after(rng: random.Random) -> Exchange:
    """What comes after a day, month, season, letter or number."""
    kind, items = rng.choice(
        (
            ("day", v.DAYS),
            ("month", v.MONTHS),
            ("season", v.SEASONS),
            ("letter", tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
        )
    )
    last = len(items) - 1 if kind == "letter" else len(items)
    i = rng.randrange(last)
    follower = items[(i + 1) % len(items)]
    return Exchange(f"Which {kind} comes after {items[i]}?", f"After {items[i]} comes {follower}.")


def opposite(rng: random.Random) -> Exchange:
    """The opposite of a word."""
    pair = rng.choice(list(v.OPPOSITES.items()))
    word, other = pair if rng.random() < 0.5 else pair[::-1]
    return Exchange(f"What is the opposite of {word}?", f"The opposite of {word} is {other}.")


def sound(rng: random.Random) -> Exchange:
    """The sound of an animal."""
    animal, says = _pick(rng, v.SOUNDS)
    forms = ("What does the {} say?", "What sound does a {} make?")
    return Exchange(rng.choice(forms).format(animal), f"The {animal} says {says}.")


def young(rng: random.Random) -> Exchange:
    """The word for a young animal."""
    animal, word = _pick(rng, v.YOUNG)
    return Exchange(
        f"What is a young {animal} called?", f"A young {animal} is called {with_article(word)}."
    )


def legs(rng: random.Random) -> Exchange:
    """How many legs an animal has."""
    animal, number = _pick(rng, v.LEGS)
    return Exchange(
        f"How many legs does a {animal} have?",
        f"{with_article(animal).capitalize()} has {number} legs.",
    )


def color_of(rng: random.Random) -> Exchange:
    """The color of a thing."""
    thing, color = _pick(rng, v.THING_COLORS)
    word = rng.choice(("color", "colour"))
    return Exchange(f"What {word} is {thing}?", f"{thing[0].upper()}{thing[1:]} is {color}.")


def plural(rng: random.Random) -> Exchange:
    """The plural of a noun."""
    one, many = _pick(rng, v.PLURALS)
    return Exchange(f"What is the plural of {one}?", f"The plural of {one} is {many}.")


def past_tense(rng: random.Random) -> Exchange:
    """The past tense of a verb."""
    verb, past = _pick(rng, v.PAST)
    return Exchange(f"What is the past tense of {verb}?", f"The past tense of {verb} is {past}.")


def translation(rng: random.Random) -> Exchange:
    """A word in another language."""
    word = rng.choice(list(v.TRANSLATIONS))
    i = rng.randrange(len(v.LANGUAGES))
    language, foreign = v.LANGUAGES[i], v.TRANSLATIONS[word][i]
    forms = ("How do you say {} in {}?", "What is {} in {}?", "Translate {} to {}.")
    return Exchange(rng.choice(forms).format(word, language), f"{word} in {language} is {foreign}.")


def bigger(rng: random.Random) -> Exchange:
    """Which of two animals is the bigger one."""
    small, big = sorted(rng.sample(range(len(v.SIZES)), 2))
    pair = [with_article(v.SIZES[small]), with_article(v.SIZES[big])]
    answer = f"{pair[1].capitalize()} is bigger than {pair[0]}."
    rng.shuffle(pair)
    return Exchange(f"Which is bigger, {pair[0]} or {pair[1]}?", answer)


def definition(rng: random.Random) -> Exchange:
    """What a thing is."""
    noun, sentence = _pick(rng, v.DEFINITIONS)
    article = "the moon" if noun == "moon" else with_article(noun)
    return Exchange(f"What is {article}?", sentence)


ARITHMETIC: Final[tuple[Callable[[random.Random], Exchange], ...]] = (
    addition, addition, addition, subtraction, subtraction, multiplication,
    comparison, parity, counting, number_word,
)  # fmt: skip
KNOWLEDGE: Final[tuple[Callable[[random.Random], Exchange], ...]] = (
    capital, capital, capital, country_of, after, after, opposite, sound, young, legs,
    color_of, plural, past_tense, translation, bigger, definition,
)  # fmt: skip


def arithmetic(rng: random.Random) -> Exchange:
    """A question about numbers."""
    return rng.choice(ARITHMETIC)(rng)


def knowledge(rng: random.Random) -> Exchange:
    """A question about the small world of the generator."""
    return rng.choice(KNOWLEDGE)(rng)
