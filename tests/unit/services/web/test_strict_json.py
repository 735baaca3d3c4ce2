"""JSON from strangers has one meaning or none."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidArgument
from services.web import strict_json
from tests import corpus

_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)
_NOT_THE_PARSERS = {  # JSON with one meaning: their refusal is the endpoint's
    "array",
    "array of objects",
    "string",
    "object as a string",
    "number",
    "null",
    "unknown field",
    "unknown field with a lone surrogate",
}


@given(_values)
def test_ordinary_values_come_back_as_they_were(value: object) -> None:
    assert strict_json.loads(json.dumps(value)) == value
    assert strict_json.loads(strict_json.dumps(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_the_one_error(data: bytes) -> None:
    try:
        strict_json.loads(data)
    except InvalidArgument as error:
        assert error.message


@given(st.text('[]{}"\\,:x', max_size=60))
def test_any_brackets_and_quotes_give_a_value_or_the_one_error(text: str) -> None:
    try:
        strict_json.loads(text)
    except InvalidArgument as error:
        assert error.message


@pytest.mark.parametrize("name", sorted(set(corpus.BAD_BODIES) - _NOT_THE_PARSERS))
def test_bad_bodies_are_refused_before_they_mean_anything(name: str) -> None:
    with pytest.raises(InvalidArgument):
        strict_json.loads(corpus.BAD_BODIES[name])


@pytest.mark.parametrize("bracket", ["[", '{"a":'])
def test_depth_is_counted_outside_of_strings_only(bracket: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[bracket]
    deepest = strict_json.MAX_DEPTH
    strict_json.loads(bracket * deepest + '"' + "[" * 1000 + '"' + closing * deepest)
    with pytest.raises(InvalidArgument, match="nested"):
        strict_json.loads(bracket * (deepest + 1) + "1" + closing * (deepest + 1))


@given(st.floats())
def test_numbers_that_are_not_finite_are_written_as_null(number: float) -> None:
    read = json.loads(strict_json.dumps({"a": [number], "b": (number,)}))
    expected = number if math.isfinite(number) else None
    assert read == {"a": [expected], "b": [expected]}


def test_the_key_that_appears_twice_is_named() -> None:
    with pytest.raises(InvalidArgument, match="'prompt' appears twice"):
        strict_json.loads('{"x": {"prompt": 1, "prompt": 1}}')
