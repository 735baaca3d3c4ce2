"""Prompts to start from, one per kind of text that the embedded demo model has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt with the mode it is meant for."""

    label: str
    prompt: str
    chat_template: Literal["auto", "on", "off"]


EXAMPLES: Final = (
    Example("Code", 'def add(a, b):\n    """Return the sum of a and b."""\n    return', "off"),
    Example("Story", "Once upon a time there was a little fox named", "off"),
    Example("Capital", "What is the capital of France?", "auto"),
    Example("Arithmetic", "What is 3 + 4?", "auto"),
    Example("Chat", "Hello! Who are you?", "auto"),
)
