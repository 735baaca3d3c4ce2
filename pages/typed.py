"""What a user typed into a field."""

from __future__ import annotations

from typing import Any


def typed(value: Any) -> str | None:
    """The text without the space around it; None where there is none."""
    return (value.strip() or None) if isinstance(value, str) else None


def filled_in(**fields: Any) -> dict[str, str]:
    """The fields that were filled in."""
    texts = {name: typed(value) for name, value in fields.items()}
    return {name: text for name, text in texts.items() if text is not None}
