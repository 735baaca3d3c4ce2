"""Tests and probes over REST: every answer as described, every refusal in one shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.web import install, make_server
from services.web import probe_schemas as schemas
from tests.integration.probes.conftest import JUMP, SIGNED
from tests.integration.rest.conftest import assert_is_error


@pytest.fixture(scope="module")
def client(lab: Any) -> Iterator[FlaskClient]:
    server = make_server(lab.settings)
    install(server, lab, list)
    with server.test_client() as made:
        yield made


def test_a_text_is_tested(client):
    answer = client.post(f"/api/v1/saes/{SIGNED}/features/3/test", json={"text": "the cat"})
    assert answer.status_code == 200
    schemas.TestedBody.model_validate(answer.json)
    assert [t["token_str"] for t in answer.json["tokens"]][:1] == ["<bos>"]
    values = [t["value"] for t in answer.json["tokens"] if not t["is_special"]]
    assert answer.json["max"] == max(values)


def test_probes_are_kept_listed_measured_downloaded_and_removed(client):
    base = f"/api/v1/saes/{SIGNED}/features/4/probes"
    made = client.post(base, json={"text": "the cat", "should_fire": True, "author": "Ada"})
    assert made.status_code == 201
    schemas.KeptProbeBody.model_validate(made.json)
    listed = client.get(base, query_string={"threshold": 0.5})
    schemas.ProbeReportBody.model_validate(listed.json)
    assert (listed.json["n"], listed.json["threshold"]) == (1, 0.5)
    assert listed.json["probes"] == [made.json]
    again = client.post(f"{base}/measure", query_string={"threshold": 0.5})
    assert again.json == listed.json
    file = client.get(f"{base}/download")
    assert file.mimetype == "text/csv"
    assert b"the cat" in file.data
    assert client.delete(f"{base}/{made.json['probe_id']}").status_code == 204
    assert client.get(base).json["probes"] == []


def test_what_is_wrong_is_said(client):
    base = f"/api/v1/saes/{JUMP}/features"
    assert (
        "0 to 255"
        in assert_is_error(client.post(f"{base}/999/test", json={"text": "x"}), 404)["message"]
    )
    assert_is_error(client.post("/api/v1/saes/none/features/0/test", json={"text": "x"}), 404)
    assert_is_error(client.post(f"{base}/0/test", json={"text": ""}), 400)
    assert_is_error(client.post(f"{base}/0/test", json={"text": "x", "read_as": "poem"}), 400)
    assert_is_error(client.post(f"{base}/0/test", json={"text": "cat " * 999}), 400)
    assert_is_error(client.post(f"{base}/0/test", json={"text": "x" * 12_001}), 413)
    assert_is_error(client.post(f"{base}/0/probes", json={"text": "x", "should_fire": 1}), 400)
    assert_is_error(client.post(f"{base}/0/probes", json={"text": "x"}), 400)
    assert_is_error(client.get(f"{base}/0/probes", query_string={"threshold": -1}), 400)
    assert_is_error(client.get(f"{base}/0/probes", query_string={"threshold": "nan"}), 400)
    assert_is_error(client.delete(f"{base}/0/probes/nobody"), 404)
