"""How a JSON document holds its entries: as lines, as a list, by key, and within what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.labels.formats.items import Record, Twice, clean, dump

Entries = list[tuple[str, Any]]  # place and value


def unwrapped(document: Any, holds: Callable[[Any], bool]) -> tuple[Any, dict[str, Any]] | None:
    """What holds the entries of a document, itself or one of its fields; and the rest of it."""
    if holds(document):
        return document, {}
    if isinstance(document, dict):
        for key, value in document.items():
            if holds(value):
                around = [[name, None if name == key else clean(v)] for name, v in document.items()]
                return value, {"within": key, "around": around}
    return None


def wrapped(entries: Any, layout: Mapping[str, Any]) -> Any:
    """The document around the entries."""
    if "within" not in layout:
        return entries
    within = layout["within"]
    return {key: entries if key == within else value for key, value in layout["around"]}


def listed(entries: list[Any], layout: Mapping[str, Any]) -> bytes:
    """A document of a list, or of lines."""
    if layout.get("form") == "lines":
        return "".join(dump(entry, None) + "\n" for entry in entries).encode()
    return (dump(wrapped(entries, layout)) + "\n").encode()


def keyed(entries: Record, layout: Mapping[str, Any]) -> bytes:
    """A document by key."""
    return (dump(wrapped(entries, layout)) + "\n").encode()


def is_list_of(names: tuple[set[str], ...]) -> Callable[[Any], bool]:
    """Whether something is a list of objects that have one of each of the names."""

    def holds(value: Any) -> bool:
        if not isinstance(value, list) or not value:
            return False
        first = next((x for x in value if isinstance(x, dict)), {})
        return all(some & first.keys() for some in names)

    return holds


def is_keyed_by_number(value: Any, kind: type) -> bool:
    """Whether something is an object by numbers of features, half of it or more `kind`."""
    if not isinstance(value, dict) or not value:
        return False
    numbers = sum(key.isascii() and key.isdigit() for key in value)
    values = sum(isinstance(inner, kind) for inner in value.values())
    return numbers * 2 >= len(value) and values * 2 >= len(value)


def places(value: list[Any] | Record, name: str) -> Iterator[tuple[str, Any, Any]]:
    """Place, key (None in a list) and value of each entry."""
    if isinstance(value, list):
        for i, inner in enumerate(value):
            yield f"{name}[{i}]", None, inner
        return
    twice = value.key if isinstance(value, Twice) else None
    for key, inner in value.items():
        yield f"{name}[{key[:40]!r}]", key, Twice() if key == twice else inner
