"""The project's own text: passages and conversations, deterministic in the generator given."""

from __future__ import annotations

import random
from typing import Final, NamedTuple

from services.demo import vocabulary as v
from services.demo.questions import Exchange, addition, arithmetic, knowledge, subtraction
from services.demo.stories import story, with_article


class Message(NamedTuple):
    """One turn of a conversation; `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


SYSTEM_PROMPTS: Final = (
    "You are a helpful assistant.",
    "You are a small and friendly model.",
    "Answer in one sentence.",
    "Be kind and clear.",
)
SMALL_TALK: Final = (
    Exchange("Hello!", "Hello! How can I help you?"),
    Exchange("Hi", "Hello! How can I help you?"),
    Exchange("Good morning!", "Good morning! How can I help you?"),
    Exchange("How are you?", "I am fine, thank you. How are you?"),
    Exchange("Thank you!", "You are welcome!"),
    Exchange("Who are you?", "I am Actiscope demo, a very small language model."),
    Exchange("What is your name?", "My name is Actiscope demo. I am a very small language model."),
    Exchange("What can you do?", "I can tell small stories, answer easy questions, add numbers "
             "and write a little Python."),
    Exchange("Can you help me?", "Yes, I will try. What would you like to know?"),
    Exchange("Goodbye", "Goodbye! See you soon."),
)  # fmt: skip
UNKNOWN_FORMS: Final = (
    "Who is the king of {}?", "How many people live in {}?", "What is the weather in {}?",
    "How old is {}?", "Who wrote the book about {}?", "When was {} born?", "Why is {} famous?",
    "What happened in {} last year?", "How far is it to {}?", "Who won the game in {}?",
)  # fmt: skip
UNKNOWN_ANSWERS: Final = (
    "I do not know that. I am a very small model.",
    "I am sorry, I do not know.",
    "I do not know the answer to this question.",
)
LISTS: Final = {
    "animals": v.ANIMALS, "colors": v.COLORS, "names": v.NAMES, "days": v.DAYS,
    "months": v.MONTHS, "foods": v.FOODS, "countries": tuple(v.CAPITALS),
    "cities": tuple(v.CAPITALS.values()), "numbers": v.NUMBER_WORDS[1:], "places": v.PLACES,
    "jobs": v.JOBS,
}  # fmt: skip
CODE_TASKS: Final = (
    ("adds two numbers", "def add(a, b):\n    return a + b"),
    ("multiplies two numbers", "def multiply(a, b):\n    return a * b"),
    ("says hello to a person", 'def greet(name):\n    return f"Hello, {name}!"'),
    ("checks if a number is even", "def is_even(n):\n    return n % 2 == 0"),
    (
        "returns the larger of two numbers",
        "def larger(a, b):\n    if a > b:\n        return a\n    return b",
    ),
    ("reverses a string", "def reverse(text):\n    return text[::-1]"),
    ("counts the words in a text", "def count_words(text):\n    return len(text.split())"),
    (
        "reads a file",
        'def read_file(path):\n    with open(path, encoding="utf-8") as file:\n'
        "        return file.read()",
    ),
    (
        "sums a list",
        "def total(values):\n    result = 0\n    for value in values:\n"
        "        result += value\n    return result",
    ),
    (
        "computes the factorial",
        "def factorial(n):\n    if n <= 1:\n        return 1\n    return n * factorial(n - 1)",
    ),
    (
        "prints the numbers from 1 to n",
        "def show(n):\n    for i in range(1, n + 1):\n        print(i)",
    ),
    ("removes duplicates from a list", "def unique(values):\n    return list(set(values))"),
)


def _list_request(rng: random.Random) -> Exchange:
    kind, items = rng.choice(list(LISTS.items()))
    count = rng.randint(3, 5)
    chosen = rng.sample(items, count)
    question = f"{rng.choice(('Name', 'List'))} {v.NUMBER_WORDS[count]} {kind}."
    if rng.random() < 0.5:
        return Exchange(question, "\n".join(f"- {item}" for item in chosen))
    return Exchange(question, f"{', '.join(chosen[:-1])} and {chosen[-1]}.")


def _feeling(rng: random.Random) -> Exchange:
    good = rng.random() < 0.5
    mood = rng.choice(v.POSITIVE if good else v.NEGATIVE)
    forms = (
        f"I am {mood} today.",
        f"My friend {rng.choice(v.NAMES)} is {mood}.",
        f"I feel {mood}.",
    )
    kind = ("That is great to hear!", "How wonderful!", "I am glad to hear that.")
    sorry = ("I am sorry to hear that.", "That must be hard.", "I hope you feel better soon.")
    return Exchange(rng.choice(forms), rng.choice(kind if good else sorry))


def _story_request(rng: random.Random) -> Exchange:
    verb = rng.choice(("Tell me a story", "Write a short story", "Write a story"))
    if rng.random() < 0.3:
        name = rng.choice(v.NAMES)
        return Exchange(f"{verb} about {name}.", story(rng, name=name))
    animal = rng.choice(v.ANIMALS)
    return Exchange(f"{verb} about {with_article(animal)}.", story(rng, animal=animal))


def _code_request(rng: random.Random) -> Exchange:
    task, code = rng.choice(CODE_TASKS)
    forms = (
        "Write a Python function that {}.",
        "Write a function that {}.",
        "Show me a Python function that {}.",
    )
    return Exchange(rng.choice(forms).format(task), code)


def _unknown(rng: random.Random) -> Exchange:
    subject = rng.choice(
        (*v.NAMES, *v.CAPITALS, *v.CAPITALS.values(), "the " + rng.choice(v.PLACES))
    )
    return Exchange(rng.choice(UNKNOWN_FORMS).format(subject), rng.choice(UNKNOWN_ANSWERS))


_KINDS: Final = (
    (arithmetic, 34), (knowledge, 30), (_story_request, 10), (_list_request, 8), (_feeling, 7),
    (_code_request, 5), (_unknown, 3), (lambda rng: rng.choice(SMALL_TALK), 3),
)  # fmt: skip


def _as_typed(rng: random.Random, question: str) -> str:
    """The question as people type it: now and then without capitals or the final mark."""
    if rng.random() < 0.08:
        question = question.lower()
    if rng.random() < 0.08:
        question = question.rstrip("?.!")
    return question


def exchange(rng: random.Random) -> Exchange:
    """One question with its answer, of any kind."""
    maker = rng.choices([kind for kind, _ in _KINDS], [weight for _, weight in _KINDS])[0]
    question, answer = maker(rng)
    return Exchange(_as_typed(rng, question), answer)


def conversation(rng: random.Random) -> list[Message]:
    """One to four exchanges, sometimes after a system prompt."""
    turns = rng.choices((1, 2, 3, 4), (70, 15, 10, 5))[0]
    messages = [Message("system", rng.choice(SYSTEM_PROMPTS))] if rng.random() < 0.12 else []
    for _ in range(turns):
        question, answer = exchange(rng)
        messages += [Message("user", question), Message("assistant", answer)]
    return messages


def _sums(rng: random.Random) -> str:
    makers = (addition, addition, subtraction)
    return "\n".join(rng.choice(makers)(rng).answer for _ in range(rng.randint(4, 12)))


def _statements(rng: random.Random) -> str:
    return " ".join(knowledge(rng).answer for _ in range(rng.randint(2, 6)))


def _diary(rng: random.Random) -> str:
    day, month = rng.choice(v.DAYS), rng.choice(v.MONTHS)
    return f"It is {rng.choice(v.WEATHER)} on {day} in {month}. {story(rng)}"


def _letter(rng: random.Random) -> str:
    writer, reader = rng.sample(v.NAMES, 2)
    news = (
        f"Today it is {rng.choice(v.WEATHER)}. I went to the {rng.choice(v.PLACES)} and saw "
        f"{with_article(rng.choice(v.ANIMALS))}. I was {rng.choice(v.POSITIVE)}."
    )
    present = f"{with_article(rng.choice(v.COLORS))} {rng.choice(v.OBJECTS)}"
    gift = f"I will bring you {present} on {rng.choice(v.DAYS)}."
    return f"Dear {reader},\n\n{news} {gift}\n\nYour friend\n{writer}"


def passage(rng: random.Random) -> str:
    """One plain text: a story, a diary, a letter, facts or sums."""
    makers = (story, _diary, _letter, _statements, _sums)
    return rng.choices(makers, (45, 10, 8, 17, 20))[0](rng)
