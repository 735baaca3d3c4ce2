"""Jobs over REST: every answer as described, every refusal in the one shape."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.container import Container
from services.web import install, make_server
from services.web import job_schemas as schemas
from tests import corpus
from tests.integration.rest.conftest import assert_is_error
from tests.made_jobs import COUNT, make_chunks_table

API = "/api/v1/jobs"


@pytest.fixture
def client(container: Container) -> Iterator[FlaskClient]:
    container.job_kinds.add(COUNT)
    make_chunks_table(container.base.database._engine)
    server = make_server(container.settings)
    install(server, container, list)
    with server.test_client() as made:
        yield made


def start(client: FlaskClient, **body: Any) -> Any:
    return client.post(API, json={"kind": "count"} | body)


def shown(client: FlaskClient, job_id: str) -> dict[str, Any]:
    answer = client.get(f"{API}/{job_id}")
    schemas.JobWithLogBody.model_validate(answer.json, strict=False)
    assert set(answer.json) == set(schemas.JobWithLogBody.model_fields)
    return answer.json


def test_a_job_from_its_acceptance_to_its_result(client: FlaskClient, container: Container) -> None:
    answer = start(client, params={"to": 3, "pause_s": 0.01, "note": "\ud800\x00"}, priority=2)
    assert answer.status_code == 202
    schemas.JobBody.model_validate(answer.json)
    assert (answer.json["status"], answer.json["title"]) == ("queued", "Count to 3")
    assert answer.json["params"]["note"] == "\ufffd\u2400"
    container.jobs.work()
    job_id = answer.json["job_id"]
    assert container.jobs.wait(job_id, 30).status.value == "succeeded"
    job = client.get(answer.headers["Location"]).json
    assert job == shown(client, job_id)
    assert (job["result"], job["done"], job["total"]) == ({"counted": 3}, 3, 3)
    assert [phase["name"] for phase in job["phases"]] == ["counting"]
    assert [line["message"] for line in job["log"]][-1] == "succeeded"
    listed = client.get(f"{API}?status=succeeded&kind=count").json
    schemas.JobsBody.model_validate(listed)
    assert [item["job_id"] for item in listed["items"]] == [job_id]


def test_a_job_is_cancelled_and_retried(client: FlaskClient, container: Container) -> None:
    job_id = start(client, params={"to": 2}).json["job_id"]
    cancelled = client.post(f"{API}/{job_id}/cancel")
    assert (cancelled.status_code, cancelled.json["status"]) == (200, "cancelled")
    assert client.post(f"{API}/{job_id}/cancel", json={}).json == cancelled.json
    assert client.post(f"{API}/{job_id}/retry").json["status"] == "queued"
    container.jobs.work()
    assert container.jobs.wait(job_id, 30).status.value == "succeeded"
    assert_is_error(client.post(f"{API}/{job_id}/retry"), 409)
    assert client.post(f"{API}/{job_id}/cancel").json["status"] == "succeeded"


def test_pages_hold_every_job_once(client: FlaskClient) -> None:
    made = [start(client, params={"to": i}).json["job_id"] for i in range(5)]
    seen, address = [], f"{API}?limit=2"
    while True:
        page = client.get(address).json
        seen += [item["job_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        address = f"{API}?limit=2&cursor={page['next_cursor']}"
    assert seen == made[::-1] == sorted(made, reverse=True)


def test_the_same_key_is_the_same_job_and_another_body_a_conflict(client: FlaskClient) -> None:
    first = start(client, request_key="k", params={"to": 3})
    assert start(client, request_key="k", params={"to": 3, "note": ""}).json == first.json
    for other in ({"to": 4}, {"to": 3, "note": "x"}):
        assert_is_error(start(client, request_key="k", params=other), 409)
    assert_is_error(start(client, request_key="k", params={"to": 3}, priority=1), 409)


def test_parallel_requests_of_one_key_make_one_job(
    client: FlaskClient, container: Container
) -> None:
    def post(_: int) -> str:
        with client.application.test_client() as own:
            return start(own, request_key="k").json["job_id"]

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(post, range(50)))) == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "kind"),
        ({"kind": "nothing"}, "count"),
        ({"kind": "Count"}, "kind"),
        ({"kind": "count", "params": {"to": -1}}, "to"),
        ({"kind": "count", "params": {"to": "many"}}, "to"),
        ({"kind": "count", "params": {"too": 1}}, "too"),
        ({"kind": "count", "params": []}, "params"),
        ({"kind": "count", "params": {"note": "x" * 250_000}}, "200,000"),
        ({"kind": "count", "priority": 101}, "priority"),
        ({"kind": "count", "priority": True}, "priority"),
        ({"kind": "count", "request_key": ""}, "request_key"),
        ({"kind": "count", "request_key": "a b"}, "request_key"),
        ({"kind": "count", "parent_id": "x"}, "parent_id"),
        ({"kind": "count", "surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_body_is_refused_by_name(
    client: FlaskClient, body: dict[str, Any], says: str
) -> None:
    assert says in assert_is_error(client.post(API, json=body), 400)["message"]
    assert client.get(API).json["items"] == []


def test_whatever_strangers_send_is_refused(client: FlaskClient) -> None:
    job_id = start(client).json["job_id"]
    for address in (API, f"{API}/{job_id}/cancel", f"{API}/{job_id}/retry"):
        for body in corpus.BAD_BODIES.values():
            answer = client.post(address, data=body, content_type="application/json")
            assert_is_error(answer, 400, 413, 422)
    assert client.get(f"{API}/{job_id}").json["status"] == "queued"
    for parameter in ("limit", "cursor", "status", "kind", "parent_id", "other"):
        for value in corpus.QUERY_VALUES.values():
            answer = client.get(f"{API}?{parameter}={value}")
            if answer.status_code != 200:
                assert_is_error(answer, 400)
    for method, address in (
        ("GET", "none"), ("POST", "none/cancel"), ("POST", "none/retry"), ("GET", "%00"),
        ("GET", "%ED%A0%80"), ("POST", "x" * 500 + "/cancel"),
    ):  # fmt: skip
        assert_is_error(client.open(f"{API}/{address}", method=method), 404)
    missing = start(client, parent_id="0" * 36)
    assert_is_error(missing, 404)


def test_a_command_works_on_no_job(client: FlaskClient, container: Container) -> None:
    job_id = start(client).json["job_id"]
    other = Container(container.settings)
    try:
        time.sleep(1.5)
        assert other.jobs.get(job_id).status.value == "queued"
    finally:
        other.close()


def test_a_server_that_stops_hands_its_job_to_the_next(
    client: FlaskClient, container: Container
) -> None:
    job_id = start(client, params={"to": 30, "pause_s": 0.03}).json["job_id"]
    servers = [Container(container.settings) for _ in range(2)]
    for server in servers:
        server.job_kinds.add(COUNT)
    servers[0].jobs.work()
    while client.get(f"{API}/{job_id}").json["done"] < 3:
        time.sleep(0.01)
    servers[0].close()
    handed_back = shown(client, job_id)
    assert (handed_back["status"], handed_back["crashes"]) == ("queued", 0)
    servers[1].jobs.work()
    assert servers[1].jobs.wait(job_id, 30).status.value == "succeeded"
    servers[1].close()
    assert shown(client, job_id)["attempt"] == 2
