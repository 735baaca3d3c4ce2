"""The OpenAPI document says what there is, completely."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.rest.conftest import Api

_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    return api.client.get("/api/v1/openapi.json").json


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def test_every_address_is_described_and_every_description_has_an_address(
    api: Api, document: dict[str, Any]
) -> None:
    routed = {
        (method, re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in api.client.application.url_map.iter_rules()
        for method in (rule.methods or set()) & _METHODS
        if rule.rule.startswith("/api/v1/")
    }
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert described == routed - {("GET", "/api/v1/openapi.json")}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in _references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place


def test_every_operation_says_what_it_does_takes_and_may_refuse(document: dict[str, Any]) -> None:
    operations = [op for path in document["paths"].values() for op in path.values()]
    assert len({op["operationId"] for op in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        for status in ("400", "401", "403", "404", "429", "500", "503"):
            body = operation["responses"][status]["content"]["application/json"]["schema"]
            assert body == {"$ref": "#/components/schemas/ErrorBody"}
        assert {"200", "201", "202", "204"} & operation["responses"].keys()


def test_the_run_request_is_described_by_the_model_that_checks_it(document: dict[str, Any]) -> None:
    described = document["components"]["schemas"]["RunRequest"]
    assert described["additionalProperties"] is False
    assert described["required"] == ["prompt"]
    assert described["properties"]["sae_top_k"]["maximum"] == 200
