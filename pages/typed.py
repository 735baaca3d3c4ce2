"""What a user typed into a field."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from pages.context import services
from services.errors import InvalidArgument
from services.registry.requests import RepoId

Place = Literal["huggingface", "local"]

_REPO_ID: TypeAdapter[str] = TypeAdapter(RepoId)


def typed(value: Any) -> str | None:
    """The text without the space around it; None where there is none."""
    return (value.strip() or None) if isinstance(value, str) else None


def filled_in(**fields: Any) -> dict[str, str]:
    """The fields that were filled in."""
    texts = {name: typed(value) for name, value in fields.items()}
    return {name: text for name, text in texts.items() if text is not None}


def repository(value: Any) -> str:
    """The repository that was typed; its address on the hub stands for it.

    Raises:
        InvalidArgument: nothing was typed, or something else.
    """
    text = typed(value)
    if text is None:
        raise InvalidArgument("no repository is named: give one as owner/name")
    repo_id = _repo_id(text)
    if repo_id is None:
        raise InvalidArgument(f"{text[:100]!r} is no repository: give one as owner/name")
    return repo_id


def folder(value: Any) -> str:
    """The folder or file that was typed.

    Raises:
        InvalidArgument: nothing was typed.
    """
    text = typed(value)
    if text is None:
        raise InvalidArgument("no folder is named: give its whole path")
    return text


def place_in(text: str) -> Place | None:
    """Where the text leads if it is a path or could be a repository; None for anything else."""
    if Path(text).is_absolute():
        return "local"
    return "huggingface" if "/" in text and _repo_id(text) else None


def _repo_id(text: str) -> str | None:
    endpoint = services().settings.hub_endpoint
    text = text.removeprefix(f"{endpoint}/").removesuffix("/").removesuffix("/tree/main")
    try:
        return _REPO_ID.validate_python(text)
    except ValidationError:
        return None
