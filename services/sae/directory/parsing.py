"""pretrained_saes.yaml into Python values, several times faster than by YAML alone.

Nearly all of its 60,000 lines are plain `key: value` pairs of SAEs. Those are split by a regular
expression; the rest, and every release that is written in another way, goes through YAML.
"""

from __future__ import annotations

import re
from typing import Any

_BLOCK = re.compile(r"^(?=\S)", re.MULTILINE)
_SAES = re.compile(r"^  saes:\n((?:  (?:- |  )\w+: [A-Za-z0-9][^\s'\"#&*!|>{}\[\]%@`,]*\n)+)", re.M)
_PAIR = re.compile(r"^  (- |  )(\w+): (.*)$", re.MULTILINE)
_NUMBER = re.compile(r"(?:0|[1-9]\d*)(?:\.\d+)?")
_NUMBERS = frozenset({"l0", "variance_explained", "norm_scaling_factor"})
_NO_TEXT = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_LETTER = re.compile(r"[A-DF-Za-df-z]")  # e may be an exponent
_OTHER_BASE = re.compile(r"0[xob]", re.IGNORECASE)


def parse(text: str) -> Any:
    """What YAML makes of the text."""
    rest: list[str] = []
    quick: dict[str, list[dict[str, Any]]] = {}
    for block in _BLOCK.split(text):
        name = block.partition(":\n")[0]
        match = _SAES.search(block)
        saes = _saes(match[1]) if match and name not in quick else None
        if match and saes is not None and _ends(block, match.end()):
            quick[name] = saes
            block = block[: match.start()] + "  saes: []\n" + block[match.end() :]
        rest.append(block)
    data = _by_yaml("".join(rest))
    if not isinstance(data, dict) or not all(isinstance(data.get(name), dict) for name in quick):
        return _by_yaml(text)
    for name, saes in quick.items():
        data[name]["saes"] = saes
    return data


def _saes(items: str) -> list[dict[str, Any]] | None:
    """The SAEs of the lines; None where YAML might see something else than plain text."""
    saes: list[dict[str, Any]] = []
    for start, key, value in _PAIR.findall(items):
        if start == "- ":
            saes.append({})
        if not saes or key in saes[-1]:
            return None
        if _NUMBER.fullmatch(value):
            saes[-1][key] = float(value) if key in _NUMBERS else value
        elif key in _NUMBERS or value.lower() in _NO_TEXT or not _is_text(value):
            return None
        else:
            saes[-1][key] = value
    return saes


def _is_text(value: str) -> bool:
    is_number = _OTHER_BASE.match(value) or not _LETTER.search(value)
    return not is_number and not value.endswith(":")


def _ends(block: str, at: int) -> bool:
    """Whether the list of SAEs ends there: with the release, or before its next key."""
    return at == len(block) or re.match(r"  \w", block[at:]) is not None


def _by_yaml(text: str) -> Any:
    import yaml

    # The safe loader, in C where PyYAML was built with it.
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
