"""Corpora over REST: every answer as described, every refusal in the one shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.container import Container
from services.settings import Settings
from services.web import corpus_schemas as schemas
from services.web import guards, install, job_schemas, make_server
from tests.integration.rest.conftest import assert_is_error
from tests.servers import Server

API = "/api/v1/corpora"
BYTES = "application/octet-stream"
ROWS = [{"text": f"t{i} é", "n": i, "kind": "ab"[i % 2]} for i in range(50)]
CONTENT = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", preload=False, max_upload_mb=3)


@pytest.fixture
def client(container: Container) -> Iterator[FlaskClient]:
    server = make_server(container.settings)
    install(server, container, list)
    container.jobs.work()
    with server.test_client() as made:
        yield made


def uploaded(client: FlaskClient, content: bytes = CONTENT, name: str = "my.jsonl") -> str:
    answer = client.post(f"{API}/uploads?file_name={name}", data=content, content_type=BYTES)
    assert answer.status_code == 201, answer.text
    schemas.UploadBody.model_validate(answer.json)
    return answer.json["upload_id"]


def added(client: FlaskClient, container: Container, **asked: Any) -> dict[str, Any]:
    answer = client.post(API, json={"upload_id": uploaded(client)} | asked)
    assert answer.status_code == 202, answer.text
    job_schemas.JobBody.model_validate(answer.json)
    job = container.jobs.wait(answer.json["job_id"], 60)
    assert job.result, job.error_message
    assert client.get(answer.headers["Location"]).json["result"] == job.result
    return dict(job.result)


def checked(answer: Any, model: Any) -> Any:
    assert answer.status_code == 200, answer.text
    model.model_validate(answer.json)
    assert set(answer.json) == set(model.model_fields)
    return answer.json


def test_from_an_upload_to_a_corpus_and_its_end(client: FlaskClient, container: Container) -> None:
    looked = client.post(f"{API}/look", json={"upload_id": uploaded(client)})
    found = checked(looked, schemas.SourceBody)
    assert found["columns"] == {"text": "string", "n": "int64", "kind": "string"}
    assert (found["suggested_text"], len(found["rows"])) == ("text", 20)
    result = added(client, container, name="Mine", text_column="text", metadata=["kind"])
    place = f"{API}/{result['corpus_id']}"
    shown = checked(client.get(place), schemas.CorpusBody)
    assert (shown["n_documents"], shown["metadata"]) == (50, {"kind": "string"})
    listed = checked(client.get(API), schemas.CorporaBody)["items"]
    assert [item["corpus_id"] for item in listed] == [result["corpus_id"], "demo"]
    part = checked(client.get(f"{place}/documents?start=48&chars=2"), schemas.DocumentsBody)
    assert [(d["number"], d["text"]) for d in part["documents"]] == [(48, "t4"), (49, "t4")]
    statistics = checked(client.get(f"{place}/statistics"), schemas.CorpusStatisticsBody)
    assert statistics["metadata"]["kind"] == [{"value": "a", "n": 25}, {"value": "b", "n": 25}]
    assert client.delete(place).status_code == 204
    assert [i["corpus_id"] for i in client.get(API).json["items"]] == ["demo"]
    assert len(client.get(f"{API}?include_deleted=true").json["items"]) == 2
    restored = checked(client.post(f"{place}/restore"), schemas.CorpusBody)
    assert restored["deleted_at"] is None
    assert client.delete(f"{place}?hard=true").status_code == 204
    assert_is_error(client.get(place), 404)


def test_the_windows_that_a_model_would_read(client: FlaskClient) -> None:
    answer = client.get(f"{API}/demo/tokens?context=16&stride=8&limit=3")
    found = checked(answer, schemas.PackingBody)
    assert (found["model_id"], found["context"], len(found["windows"])) == ("actiscope-demo", 16, 3)
    first, second = found["windows"][:2]
    assert len(first["token_ids"]) == 16
    assert sum(second["is_new"]) == 8
    assert found["estimated_tokens"] > found["n_tokens"] > 0
    assert_is_error(client.get(f"{API}/demo/tokens?model_id=nothing"), 404)
    assert_is_error(client.get(f"{API}/demo/tokens?context=1000000"), 400)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "?surprise=1", None, 400),
        ("POST", "", {}, 400),
        ("POST", "", {"upload_id": "a" * 32, "path": "/x"}, 400),
        ("POST", "", {"upload_id": "a" * 32}, 404),
        ("POST", "", {"upload_id": "../../x"}, 400),
        ("POST", "", {"path": "/etc/passwd"}, 400),
        ("POST", "", {"path": "/etc/passwd", "name": "x" * 101}, 400),
        ("POST", "", {"dataset": {"repo_id": "/etc"}}, 400),
        ("POST", "", {"path": "x", "on_error": "ignore"}, 400),
        ("POST", "/look", {}, 400),
        ("POST", "/look", {"upload_id": "a" * 32}, 404),
        ("POST", "/look", {"path": "/etc/passwd"}, 400),
        ("POST", "/look", {"path": "nul\x00"}, 400),
        ("GET", "/nothing", None, 404),
        ("GET", "/..%2f..", None, 404),
        ("GET", "/Upper", None, 400),
        ("GET", "/nothing/documents", None, 404),
        ("GET", "/demo/documents?limit=101", None, 400),
        ("GET", "/demo/documents?start=-1", None, 400),
        ("GET", "/nothing/statistics", None, 404),
        ("GET", "/nothing/tokens", None, 404),
        ("GET", "/demo/tokens?context=1", None, 400),
        ("DELETE", "/nothing", None, 404),
        ("DELETE", "/demo?hard=true", None, 409),
        ("DELETE", "/demo", {"a": 1}, 400),
        ("POST", "/nothing/restore", None, 404),
        ("PUT", "", {}, 405),
    ],
)
def test_what_is_refused_has_the_one_shape(
    client: FlaskClient, method: str, path: str, body: Any, status: int
) -> None:
    assert_is_error(client.open(API + path, method=method, json=body), status)


def test_uploads_that_are_refused_leave_nothing(client: FlaskClient, container: Container) -> None:
    def send(content: bytes, kind: str = BYTES, name: str = "a.txt", **headers: str) -> Any:
        path = f"{API}/uploads?file_name={name}"
        return client.post(path, data=content, content_type=kind, headers=headers)

    assert_is_error(send(b""), 400)
    assert_is_error(send(b"x", name=""), 400)
    assert_is_error(send(b"x", name="..%2f"), 400)
    assert_is_error(send(b"{}", "application/json"), 415)
    assert_is_error(send(b"x", "multipart/form-data; boundary=b"), 415)
    assert_is_error(send(b"x", Origin="http://elsewhere.example"), 403)
    assert_is_error(send(b"x" * 3_000_001), 413)
    assert_is_error(client.post(f"{API}/uploads", data=b"x", content_type=BYTES), 400)
    uploads = container.settings.home / "uploads"
    assert not uploads.exists() or not list(uploads.iterdir())
    limit = guards.body_limit(container.settings)
    assert len(uploaded(client, b"x" * (limit + 1), "large.txt")) == 32
    body = b'{"path": "' + b"x" * limit + b'"}'
    too_large = client.post(f"{API}/look", data=body, content_type="application/json")
    assert_is_error(too_large, 413)


def test_a_real_server_takes_large_uploads_from_those_it_knows(tmp_path: Path) -> None:
    import http.client

    token = "correct horse battery staple"
    server = Server(tmp_path / "home", ACTISCOPE_AUTH_TOKEN=token, ACTISCOPE_MAX_UPLOAD_MB="40")
    headers = {"Content-Type": BYTES, "Authorization": f"Bearer {token}"}

    def send(n_bytes: int, path: str = f"{API}/uploads?file_name=a.txt", **more: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        try:
            chunk = b"some text\n" * 100_000
            content = (
                chunk[: min(len(chunk), n_bytes - at)] for at in range(0, n_bytes, len(chunk))
            )
            length = {"Content-Length": str(n_bytes)}
            connection.request("POST", path, content, headers | length | more)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (BrokenPipeError, ConnectionResetError):  # it does not even listen
            return 413, b""
        finally:
            connection.close()

    process = _started_with(server, token)
    try:
        status, body = send(35_000_000)
        assert status == 201, body
        upload = json.loads(body)["upload_id"]
        (file,) = (tmp_path / "home" / "uploads" / upload).iterdir()
        assert file.stat().st_size == 35_000_000
        assert send(45_000_000)[0] == 413
        assert send(35_000_000, Authorization="Bearer wrong")[0] in (401, 413)
        assert send(35_000_000, f"{API}/look")[0] in (413, 415)
        assert len(list((tmp_path / "home" / "uploads").iterdir())) == 1
    finally:
        process.terminate()
        process.wait(30)


def _started_with(server: Server, token: str) -> Any:
    """The server's process, once it answers those who have the token."""
    import subprocess
    import sys
    import time

    from tests.servers import PROJECT

    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=PROJECT, env=server._environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(300):
        try:
            known = {"Authorization": f"Bearer {token}"}
            if server.call("GET", API, headers=known)[0] == 200:
                return process
        except OSError:
            time.sleep(0.2)
    process.kill()
    raise TimeoutError("no answer")
