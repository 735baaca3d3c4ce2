"""JSON from strangers: one meaning per text, or `InvalidArgument` that says what is wrong.

Python's parser takes `NaN`, lets the last of two equal keys win and recurses as deep as the text
says. All three are refused here, the last before anything is parsed.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from services.errors import InvalidArgument
from services.json_keys import KeyTwice, unique_keys

MAX_DEPTH = 64

# A whole string (closed or not, so that an open one cannot be scanned again) or one bracket.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|([\[{])|[\]}]', re.DOTALL)


def loads(data: bytes | str) -> Any:
    """The value that `data` spells.

    Raises:
        InvalidArgument: not UTF-8, not JSON, nested deeper than `MAX_DEPTH`, a key twice, or a
            number that is not finite.
    """
    text = _decode(data)
    _check_depth(text)
    try:
        return json.loads(
            text,
            object_pairs_hook=unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except KeyTwice as error:
        raise InvalidArgument(str(error)) from None
    except ValueError as error:
        raise InvalidArgument(f"the body is not JSON: {_reason(error)}") from None


def dumps(value: Any, **_options: Any) -> str:
    """`value` as strict JSON: numbers that are not finite become null."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(
            _without_non_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )


def _decode(data: bytes | str) -> str:
    try:
        return data if isinstance(data, str) else data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"the body is not UTF-8 at byte {error.start}") from None


def _check_depth(text: str) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        token = match.group()
        if token[0] == '"':
            continue
        depth += 1 if match.group(1) else -1
        if depth > MAX_DEPTH:
            raise InvalidArgument(f"the body is nested deeper than {MAX_DEPTH} levels")


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidArgument(f"{name} is not JSON: give a finite number or null")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise InvalidArgument(f"the number {digits[:40]} is out of range")
    return value


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "a number has too many digits"


def _without_non_finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_non_finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_non_finite(item) for item in value]
    return value
