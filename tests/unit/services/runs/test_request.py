"""What a run's request accepts, and how it says no."""

from __future__ import annotations

import pytest

from services.errors import InvalidArgument
from services.runs.queries import ExtractRequest, RowQuery, RunQuery, TopQuery
from services.runs.request import RunRequest

BAD = [
    ("prompt", ""),
    ("prompt", 5),
    ("prompt", None),
    ("prompt", ["a"]),
    ("max_tokens", 0),
    ("max_tokens", True),
    ("max_tokens", "5"),
    ("max_tokens", 1.5),
    ("max_tokens", 10**30),
    ("temperature", float("nan")),
    ("temperature", float("inf")),
    ("temperature", -0.1),
    ("temperature", 2.1),
    ("temperature", True),
    ("temperature", "hot"),
    ("top_p", 0),
    ("top_p", 1.01),
    ("top_k", -1),
    ("seed", -1),
    ("seed", 2**53),
    ("sae_top_k", 0),
    ("sae_top_k", 201),
    ("sae_ids", ["x"] * 51),
    ("request_id", "../etc"),
    ("request_id", "a" * 129),
    ("request_id", ""),
    ("chat_template", "maybe"),
    ("model_id", ""),
    ("unknown", 1),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=lambda v: repr(v)[:30])
def test_a_wrong_value_is_refused_by_name(field, value):
    with pytest.raises(InvalidArgument) as refused:
        RunRequest.parse({"prompt": "hello", field: value})
    assert field in refused.value.message


@pytest.mark.parametrize("body", [None, [], "text", 5, {}])
def test_a_body_that_is_no_request_is_refused(body):
    with pytest.raises(InvalidArgument):
        RunRequest.parse(body)


def test_text_is_made_storable():
    request = RunRequest.parse({"prompt": "a\x00b\ud800c\U0001f600"})
    assert request.prompt == "a␀b�c\U0001f600"


def test_the_fingerprint_tells_bodies_apart_but_not_ids():
    base = {"prompt": "hello", "seed": 1}
    same = RunRequest.parse(base | {"request_id": "one"})
    assert same.fingerprint == RunRequest.parse(base | {"request_id": "two"}).fingerprint
    assert same.fingerprint != RunRequest.parse(base | {"seed": 2}).fingerprint
    assert same.fingerprint != RunRequest.parse(base | {"max_tokens": 3}).fingerprint


def test_both_ways_to_name_saes_at_once_are_refused():
    with pytest.raises(InvalidArgument, match="not both"):
        RunRequest.parse({"prompt": "a", "sae_id": "x", "sae_ids": ["y"]})


@pytest.mark.parametrize(
    "values", [{"inline_sae": False}, {"collect_activations": False}, {"sae_ids": []}]
)
def test_text_only_requests_want_no_features(values):
    assert not RunRequest.parse({"prompt": "a", **values}).wants_features
    assert RunRequest.parse({"prompt": "a"}).wants_features


def test_an_empty_parameter_is_none():
    query = RowQuery.parse({"feature_id": "", "token_start": "", "rank_max": "2", "limit": ""})
    assert query == RowQuery(rank_max=2)


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (RunQuery, {"limit": 0}),
        (RunQuery, {"limit": 201}),
        (RunQuery, {"status": "fine"}),
        (RunQuery, {"min_activation": float("nan")}),
        (RowQuery, {"sort": "prompt; drop table"}),
        (RowQuery, {"rank_max": 0}),
        (RowQuery, {"feature_id": -1}),
        (RowQuery, {"token_start": 2**63}),
        (TopQuery, {"n": 501}),
        (ExtractRequest, {"token_ids": []}),
        (ExtractRequest, {"token_ids": [1, -1]}),
        (ExtractRequest, {"token_ids": [1, 2.5]}),
    ],
)
def test_wrong_parameters_are_refused(query, values):
    with pytest.raises(InvalidArgument) as refused:
        query.parse(values)
    assert next(iter(values)) in refused.value.message
