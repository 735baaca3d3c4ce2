"""Requests to Dash's own endpoint: what no page sends is refused as the caller's mistake."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from dash import Dash
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import corpus
from tests.security.conftest import is_error

CALLBACK = "/_dash-update-component"
_JSON = "application/json"


@pytest.fixture
def client(app: Dash) -> FlaskClient:
    return app.server.test_client()


def _specs(client: FlaskClient) -> list[dict[str, Any]]:
    listed = client.get("/_dash-dependencies").json
    return [spec for spec in listed if not spec["clientside_function"]]


def _item(component_id: str, prop: str, **more: Any) -> Any:
    if not component_id.startswith("{"):
        return {"id": component_id, "property": prop, **more}
    pattern = {k: "x" if isinstance(v, list) else v for k, v in json.loads(component_id).items()}
    item = {"id": pattern, "property": prop, **more}
    return [item] if '["ALL"]' in component_id else item


def _output(name: str) -> Any:
    component_id, _, prop = name.rpartition(".")
    return _item(component_id.replace("\\.", "."), prop.partition("@")[0])


def request_for(spec: dict[str, Any], value: Any = None) -> dict[str, Any]:
    """A request as the renderer would send it, every value `value`."""
    output = spec["output"]
    is_multi = output.startswith("..")
    names = output[2:-2].split("...") if is_multi else [output]
    outputs = [_output(name) for name in names]
    inputs = [_item(i["id"], i["property"], value=value) for i in spec["inputs"]]
    first = inputs[0] if inputs and isinstance(inputs[0], dict) else {"id": "x", "property": "y"}
    return {
        "output": output,
        "outputs": outputs if is_multi else outputs[0],
        "inputs": inputs,
        "state": [_item(s["id"], s["property"], value=value) for s in spec["state"]],
        "changedPropIds": [f"{first['id']}.{first['property']}"],
    }


def test_bad_bodies_are_refused_in_the_one_shape(client: FlaskClient) -> None:
    for name, body in {**corpus.BAD_BODIES, "empty object": b"{}", "nothing": b""}.items():
        answer = client.post(CALLBACK, data=body, content_type=_JSON)
        assert answer.status_code == 400, name
        assert is_error(answer), name


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_content_types_are_refused(client: FlaskClient, kind: str) -> None:
    answer = client.post(CALLBACK, data="{}", content_type=kind)
    assert answer.status_code == 415
    assert is_error(answer)


@pytest.mark.parametrize("output", ["no.such", "", "..a.b...c.d..", None, 5, ["a"], {"a": 1}])
def test_an_unknown_output_is_refused(client: FlaskClient, output: Any) -> None:
    answer = client.post(CALLBACK, json={"output": output, "inputs": []})
    assert answer.status_code == 400
    assert is_error(answer)


def _broken(spec: dict[str, Any]) -> list[dict[str, Any]]:
    whole = request_for(spec)
    variants = [{"inputs": []}] if spec["inputs"] else []
    variants += [{"state": []}] if spec["state"] else []
    variants += [
        {"inputs": [*whole["inputs"], {"id": "x", "property": "y"}]},
        {"inputs": "abc"},
        {"inputs": {"a": 1}},
        {"inputs": [None] * len(spec["inputs"])} if spec["inputs"] else {"inputs": None},
        {"state": 5},
        {"changedPropIds": 5},
        {"changedPropIds": [{}]},
    ]
    if not spec.get("no_output"):
        variants += [{"outputs": None}, {"outputs": "x"}, {"outputs": 5}]
        variants += [{"outputs": [{"id": 5}] * (spec["output"].count("...") + 1)}]
    if whole["inputs"] and isinstance(whole["inputs"][0], dict):
        variants += [
            {"inputs": [{**whole["inputs"][0], "property": "innerHTML"}, *whole["inputs"][1:]]},
            {"inputs": [{**whole["inputs"][0], "id": ["a"]}, *whole["inputs"][1:]]},
        ]
    return [{**copy.deepcopy(whole), **variant} for variant in variants]


def test_a_request_that_no_page_sends_is_refused_for_every_callback(client: FlaskClient) -> None:
    for spec in _specs(client):
        for body in _broken(spec):
            answer = client.post(CALLBACK, json=body)
            assert answer.status_code == 400, f"{spec['output']}: {body}"
            assert is_error(answer)


def test_clientside_callbacks_are_not_called_on_the_server(client: FlaskClient) -> None:
    listed = client.get("/_dash-dependencies").json
    clientside = [spec for spec in listed if spec["clientside_function"]]
    assert clientside
    for spec in clientside:
        assert client.post(CALLBACK, json=request_for(spec)).status_code == 400


@pytest.mark.parametrize(
    "value", [None, 5, -1, 1e308, "", "x", "\x00", "\ud800", [], {}, [[]], True]
)
def test_odd_values_never_make_a_fault_in_any_callback(client: FlaskClient, value: Any) -> None:
    for spec in _specs(client):
        answer = client.post(
            CALLBACK, data=json.dumps(request_for(spec, value)), content_type=_JSON
        )
        assert answer.status_code < 500, f"{spec['output']} with {value!r}"


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_request_makes_a_fault(client: FlaskClient, data: st.DataObject) -> None:
    spec = data.draw(st.sampled_from(_specs(client)))
    body = request_for(spec)
    for part in ("inputs", "state"):
        for item in body[part]:
            if isinstance(item, dict):
                item["value"] = data.draw(_values)
    if data.draw(st.booleans()):
        body[data.draw(st.sampled_from(sorted(body)))] = data.draw(_values)
    answer = client.post(CALLBACK, data=json.dumps(body), content_type=_JSON)
    assert answer.status_code < 500
