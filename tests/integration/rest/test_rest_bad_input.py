"""Whatever strangers send is answered by 4xx in the one error shape, and nothing is stored."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import corpus
from tests.integration.rest.conftest import BASE, Api, assert_is_error

_JSON = "application/json"
_WITH_BODY = (("POST", "run"), ("POST", "extract"), ("PATCH", "{id}"))
_WITHOUT_BODY = (("POST", "{id}/cancel"), ("POST", "{id}/rerun"), ("DELETE", "{id}"))
_READS = ("{id}", *(f"{{id}}/{what}" for what in (
    "summary", "rows", "top-features", "feature-deltas", "code", "download", "events"
)))  # fmt: skip
_PARAMETERS = {
    "runs": ("limit", "cursor", "status", "model_id", "sae_id", "sae_enabled", "text",
             "feature_id", "min_activation"),
    "{id}/rows": ("feature_id", "sae_id", "sae_layer", "token_start", "token_end", "rank_max",
                  "segment", "include_special", "limit", "offset", "sort", "descending"),
    "{id}/top-features": ("n", "sae_id", "segment", "include_special"),
    "{id}/feature-deltas": ("feature_id", "sae_id", "baseline", "limit"),
    "{id}/code": ("language",),
    "{id}/download": ("what", "format", "n", "limit", "rank_max"),
}  # fmt: skip
_PROBLEMS = (400, 404, 409, 413, 415, 422)


def _runs(api: Api) -> list[str]:
    return [item["request_id"] for item in api.get("runs", limit=200).json["items"]]


@pytest.fixture
def made(api: Api) -> str:
    return api.made(request_id="made", max_tokens=2)


def test_bad_bodies_are_refused_by_every_endpoint(api: Api, made: str) -> None:
    for method, path in (*_WITH_BODY, *_WITHOUT_BODY):
        for name, body in corpus.BAD_BODIES.items():
            answer = api.send(method, path.format(id=made), data=body, content_type=_JSON)
            assert answer.status_code in _PROBLEMS, f"{method} {path}: {name}"
            assert_is_error(answer, *_PROBLEMS)
    assert _runs(api) == [made]


def test_other_content_types_are_refused_by_every_endpoint(api: Api, made: str) -> None:
    body = json.dumps({"prompt": "x", "notes": "x", "token_ids": [1]})
    for method, path in (*_WITH_BODY, *_WITHOUT_BODY):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            answer = api.send(method, path.format(id=made), data=body, content_type=kind)
            assert_is_error(answer, 415)
    assert _runs(api) == [made]


def test_bad_run_requests_are_refused_before_anything_is_stored(api: Api) -> None:
    for name, body in corpus.BAD_RUN_REQUESTS.items():
        answer = api.send("POST", "run", data=json.dumps(body), content_type=_JSON)
        assert answer.status_code in _PROBLEMS, f"{name}: {answer.get_data(as_text=True)}"
        assert_is_error(answer, *_PROBLEMS)
    assert _runs(api) == []


def test_bad_extract_requests_are_refused(api: Api) -> None:
    for name, body in corpus.BAD_EXTRACT_REQUESTS.items():
        answer = api.send("POST", "extract", data=json.dumps(body), content_type=_JSON)
        assert answer.status_code in _PROBLEMS, f"{name}: {answer.get_data(as_text=True)}"
        assert_is_error(answer, *_PROBLEMS)


def test_odd_numbers_in_any_field_are_refused_or_meant(api: Api) -> None:
    fields = ("max_tokens", "temperature", "top_p", "top_k", "seed", "sae_layer", "sae_top_k")
    for field in fields:
        for name, value in corpus.NUMBERS.items():
            body = {"prompt": "x", "max_tokens": 1, "collect_activations": False} | {field: value}
            answer = api.send("POST", "run", data=json.dumps(body), content_type=_JSON)
            assert answer.status_code < 500, f"{field}: {name}"
            if answer.status_code != 200:
                assert_is_error(answer, *_PROBLEMS)


def test_any_text_is_accepted_and_reads_back_the_same(api: Api) -> None:
    for name, text in corpus.TEXTS.items():
        made = api.run(prompt=text, max_tokens=1, sae_ids=[])
        assert made.status_code == 200, f"{name}: {made.get_data(as_text=True)}"
        stored = api.get(made.json["request_id"]).json
        expected = text.replace("\x00", "\u2400")
        expected = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in expected)
        assert stored["prompt"] == expected, name
        noted = api.send("PATCH", made.json["request_id"], json={"notes": text})
        assert noted.json["notes"] == expected, name
        assert made.json["request_id"] in [
            item["request_id"]
            for item in api.client.get(f"{BASE}/runs", query_string={"text": expected[:500]}).json[
                "items"
            ]
        ], name


def test_odd_parameters_are_refused_or_meant(api: Api, made: str) -> None:
    for path, names in _PARAMETERS.items():
        for parameter in names:
            for name, value in corpus.QUERY_VALUES.items():
                url = f"{BASE}/{path.format(id=made)}?{parameter}={value}"
                answer = api.client.get(url)
                assert answer.status_code < 500, f"{path}?{parameter}: {name}"
                if answer.status_code != 200:
                    assert_is_error(answer, *_PROBLEMS)
                assert "Set-Cookie" not in answer.headers


def test_parameters_that_do_not_exist_or_repeat_are_refused(api: Api, made: str) -> None:
    for path in (*_READS, "runs", "health"):
        if path.endswith("events"):
            continue
        address = f"{BASE}/{path.format(id=made)}"
        assert_is_error(api.client.get(f"{address}?surprise=1"), 400)
    assert_is_error(api.client.get(f"{BASE}/runs?limit=1&limit=2"), 400)
    assert_is_error(api.client.get(f"{BASE}/{made}/events?surprise=1"), 400)
    assert_is_error(api.client.get("/api/v1/models?surprise=1"), 400)
    assert_is_error(api.client.get("/api/v1/openapi.json?surprise=1"), 400)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "|",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00|x",
        "0001-01-01T00:00:00+23:59|x",
        "9999-12-31T23:59:59-23:59|x",
        "2026-01-01T00:00:00Z|",
        "2026-01-01T00:00:00Z|" + "é" * 150,
    ],
)
def test_a_cursor_that_is_not_ours_is_refused_or_just_a_place(api: Api, cursor: str) -> None:
    answer = api.get("runs", cursor=cursor)
    assert answer.status_code in (200, 400), answer.get_data(as_text=True)


def test_no_odd_id_in_an_address_is_a_run(api: Api) -> None:
    for name, odd in corpus.PATH_IDS.items():
        for path in _READS:
            answer = api.client.get(f"{BASE}/{path.format(id=odd)}?feature_id=1")
            assert answer.status_code in (400, 404), f"{path}: {name}"
            assert_is_error(answer, 400, 404)
        for method, path in _WITHOUT_BODY:
            assert_is_error(api.send(method, path.format(id=odd)), 404)
        assert_is_error(api.send("PATCH", odd, json={"notes": ""}), 404)


def test_wrong_methods_and_addresses_have_the_one_shape(api: Api) -> None:
    assert_is_error(api.send("PUT", "run", json={}), 405)
    assert_is_error(api.send("POST", "made", json={}), 405)
    assert_is_error(api.get("run"), 404)  # no run has this id
    assert_is_error(api.client.put("/api/v1/models", json={}), 405)
    assert set(api.client.put("/api/v1/models", json={}).headers["Allow"].split(", ")) == {
        "GET",
        "HEAD",
        "POST",
    }
    for address in ("/api/", "/api/v1/", "/api/v2/models", "/api/v1//models", "/api/v1/models/"):
        assert_is_error(api.client.get(address), 404)
        assert_is_error(api.client.post(address, json={}), 404)


def test_a_body_past_the_limit_is_refused_unread(api: Api) -> None:
    limit = api.client.application.config["MAX_CONTENT_LENGTH"]
    answer = api.send("POST", "run", data=b" " * (limit + 1), content_type=_JSON)
    assert assert_is_error(answer, 413)["error_code"] == "TOO_LARGE"


_bodies = st.dictionaries(
    st.sampled_from(["prompt", "max_tokens", "temperature", "sae_ids", "seed", "request_id", "x"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=_bodies, path=st.sampled_from(["run", "extract", "made/cancel", "runs", "made"]))
def test_any_body_is_answered_without_a_fault(api: Api, body: dict, path: str) -> None:
    server: Flask = api.client.application
    with server.test_client() as client:
        answer = client.post(
            f"{BASE}/{path}",
            data=json.dumps(body),
            content_type=_JSON,
            headers={"Prefer": "respond-async"},
        )
    if answer.status_code not in (200, 202):
        assert_is_error(answer, *_PROBLEMS, 405, 429)
