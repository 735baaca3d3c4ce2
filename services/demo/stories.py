"""Small stories from plots written for this project: one hero, slots that stay the same."""

from __future__ import annotations

import random
from typing import Final

from services.demo import vocabulary as v

OPENINGS: Final = (
    "Once upon a time there was {a_color} {animal} named {name}.",
    "One {weather} day a little {animal} called {name} went to the {place}.",
    "{name} was a {good} {animal} who lived near the {place}.",
    "In a small house by the {place} lived {a_animal} named {name}.",
    "There was once a very {good} {animal}. {His} name was {name}.",
)

LOST: Final = (
    (
        "{name} had {a_color2} {object} and played with it every day.",
        "Every {day} {name} took {his} {color2} {object} to the {place}.",
    ),
    (
        "But one day {name} lost the {object} and felt very {bad}.",
        '"Where is my {object}?" asked {name}. {He} was {bad}.',
    ),
    (
        '{A_friend} called {friend} came along and asked, "Why are you so {bad}?"',
        '"Do not be {bad}," said {friend} the {friend_animal}. "I will help you."',
    ),
    (
        "They looked in the {place}, behind the {place2} and under a big stone.",
        "Together they walked for {number} hours and looked in the {place2}.",
    ),
    (
        "At last they found the {object} in the {place2}.",
        'Then {friend} saw something {color2}. "Here is your {object}!" said {friend}.',
    ),
)
HUNGRY: Final = (
    ("{name} loved {food} and {food2}.", "{name} liked to eat {food} on {day}."),
    (
        "But there was no {food} in the kitchen, so {he} was hungry.",
        "One morning the {food} was gone and {name} was very hungry.",
    ),
    (
        "{He} went to the market to buy some {food}.",
        "{name} asked {friend} the {friend_animal} for some {food}.",
    ),
    (
        '"I have {number} pieces of {food2}," said {friend}. "You can have them."',
        '"Take this {food}," said {friend}. "We can eat it together."',
    ),
    (
        "They sat near the {place} and ate the {food} together.",
        "{name} ate it all and said thank you.",
    ),
)
STORM: Final = (
    (
        "It was a {weather} day and {name} walked alone to the {place}.",
        "On {day} {name} wanted to see the {place}.",
    ),
    ("Then it became dark and {he} was {bad}.", "The wind was loud and {name} felt {bad}."),
    (
        "{He} saw a light in a small {color} house.",
        "A {good2} {friend_animal} called {friend} opened the door of {a_color} house.",
    ),
    (
        '"Come in," said {friend}. "It is warm here."',
        "{friend} gave {name} {a_color2} coat and some hot soup.",
    ),
    (
        "In the morning the sky was blue and {name} went home.",
        "They told stories until the night was over.",
    ),
)
RACE: Final = (
    (
        "{name} wanted to run faster than {friend} the {friend_animal}.",
        '"I am fast," said {friend} the {friend_animal}. "I will win."',
    ),
    (
        "So they made a race from the {place} to the {place2}.",
        "On {day} all the animals came to the {place} to see the race.",
    ),
    (
        "{friend} ran very fast, but then {friend} stopped to eat {food}.",
        "{friend} laughed and slept under a tree.",
    ),
    ("{name} did not stop. {He} walked and walked.", "{name} was slow, but {he} never stopped."),
    (
        '{name} came first. "You won!" said {friend}.',
        "At the end {name} was first and got {a_color2} {object}.",
    ),
)
BIRTHDAY: Final = (
    (
        "It was the birthday of {friend} the {friend_animal}.",
        "{friend} the {friend_animal} was {number} years old on {day}.",
    ),
    (
        "{name} wanted to give {friend} {a_color2} {object}.",
        "{name} made a cake with {food2} and honey.",
    ),
    ("But {he} had no money and was {bad}.", "But the rain came and {name} was {bad}."),
    (
        '"I can draw a picture," said {name}.',
        '"You are my best friend," said {friend}. "I do not need a {object}."',
    ),
    (
        "All the animals sang a song in the {place}.",
        "They ate {food} and played until the evening.",
    ),
)
PLOTS: Final = (LOST, HUNGRY, STORM, RACE, BIRTHDAY)

ENDINGS: Final = (
    "In the end {name} was {good} again.",
    '"Thank you, {friend}!" said {name}. They became best friends.',
    "{name} smiled and felt {good}.",
    "After that day {name} and {friend} were always {good2}.",
    "And {name} was never {bad} again.",
)


def with_article(noun: str) -> str:
    """The noun with its indefinite article: `an owl`, `a fox`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _pronouns(name: str) -> dict[str, str]:
    he, his = ("she", "her") if name in v.GIRLS else ("he", "his")
    return {"he": he, "his": his, "He": he.capitalize(), "His": his.capitalize()}


def _slots(rng: random.Random, name: str, animal: str) -> dict[str, str]:
    friend_animal = rng.choice([a for a in v.ANIMALS if a != animal])
    places, foods = rng.sample(v.PLACES, 2), rng.sample(v.FOODS, 2)
    color, color2 = rng.sample(v.COLORS, 2)
    return _pronouns(name) | {
        "name": name,
        "animal": animal,
        "a_animal": with_article(animal),
        "friend": rng.choice([n for n in v.NAMES if n != name]),
        "friend_animal": friend_animal,
        "A_friend": with_article(friend_animal).capitalize(),
        "color": color,
        "a_color": with_article(color),
        "color2": color2,
        "a_color2": with_article(color2),
        "weather": rng.choice(v.WEATHER),
        "place": places[0],
        "place2": places[1],
        "food": foods[0],
        "food2": foods[1],
        "object": rng.choice(v.OBJECTS),
        "day": rng.choice(v.DAYS),
        "number": rng.choice(v.NUMBER_WORDS[2:11]),
        "good": rng.choice(v.POSITIVE),
        "good2": rng.choice(v.POSITIVE),
        "bad": rng.choice(v.NEGATIVE),
    }


def story(rng: random.Random, *, animal: str | None = None, name: str | None = None) -> str:
    """One story of seven sentences or so about the given (or any) hero."""
    slots = _slots(rng, name or rng.choice(v.NAMES), animal or rng.choice(v.ANIMALS))
    plot = rng.choice(PLOTS)
    sentences = [rng.choice(OPENINGS), *(rng.choice(step) for step in plot), rng.choice(ENDINGS)]
    return " ".join(sentences).format_map(slots)
