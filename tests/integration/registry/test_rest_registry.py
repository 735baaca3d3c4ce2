"""Models, SAEs and tasks over REST: every answer as described, every refusal in the one shape."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.web import install, make_server
from services.web import registry_schemas as schemas
from tests import corpus, tiny
from tests.integration.registry.conftest import TIMEOUT_S, Shop
from tests.integration.rest.conftest import assert_is_error

API = "/api/v1"
RELEASE, IN_RELEASE = "gpt2-small-res-jb", "blocks.8.hook_resid_pre"


def client_of(shop: Shop) -> FlaskClient:
    server = make_server(shop.container.settings)
    install(server, shop.container, list)
    return server.test_client()


@pytest.fixture
def client(shop: Shop) -> FlaskClient:
    return client_of(shop)


@pytest.fixture
def one_client(one_shop: Shop) -> FlaskClient:
    return client_of(one_shop)


def ended(client: FlaskClient, answer: Any) -> dict[str, Any]:
    """The task that was accepted, once it is final."""
    assert answer.status_code == 202, answer.get_data(as_text=True)
    schemas.TaskBody.model_validate(answer.json)
    deadline = time.monotonic() + TIMEOUT_S
    while (task := client.get(answer.headers["Location"]).json)["finished_at"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    schemas.TaskBody.model_validate(task)
    return task


def test_a_model_and_its_sae_from_nothing_to_a_verdict_and_away(
    client: FlaskClient, shop: Shop
) -> None:
    model, sae = tiny.save_model(shop.folder, "tiny"), tiny.save_sae(shop.folder)
    where = {"source": "local", "path": str(sae)}
    found = client.post(f"{API}/saes/look", json=where)
    schemas.CandidatesBody.model_validate(found.json)
    assert [c["hook_name"] for c in found.json["items"]] == ["blocks.1.hook_resid_post"]
    task = ended(client, client.post(f"{API}/models", json={"source": "local", "path": str(model)}))
    assert (task["status"], task["results"]) == ("succeeded", ["tiny"])
    task = ended(client, client.post(f"{API}/saes", json=where))
    assert (task["status"], task["results"]) == ("succeeded", ["tiny-sae"])
    assert task["task_id"] in [t["task_id"] for t in client.get(f"{API}/tasks").json["items"]]
    schemas.TasksBody.model_validate(client.get(f"{API}/tasks").json)
    card = client.get(f"{API}/saes/tiny-sae").json
    schemas.SaeCardBody.model_validate(card)
    assert card["verdict"] == card["preflight"]["verdict"] is not None
    listed = client.get(f"{API}/saes?model_id=tiny&verdict={card['verdict']}").json
    schemas.SaesBody.model_validate(listed)
    assert [s["sae_id"] for s in listed["items"]] == ["tiny-sae"]
    reports = client.get(f"{API}/saes/tiny-sae/preflights").json
    schemas.PreflightsBody.model_validate(reports)
    assert reports["items"] == [card["preflight"]]
    models = client.get(f"{API}/models").json
    schemas.ModelsBody.model_validate(models)
    assert [m["model_id"] for m in models["items"]] == ["actiscope-demo", "tiny"]
    assert models["items"][1]["saes"][0]["verdict"] == card["verdict"]
    task = ended(client, client.post(f"{API}/models/tiny/load"))
    shown = client.get(f"{API}/models/tiny").json
    schemas.ModelBody.model_validate(shown)
    assert shown["is_resident"] and shown["fits"]
    assert not client.post(f"{API}/models/tiny/unload").json["is_resident"]
    assert client.delete(f"{API}/saes/tiny-sae").status_code == 204
    assert client.get(f"{API}/saes/tiny-sae").json["state"] == "deleted"
    assert client.post(f"{API}/saes/tiny-sae/restore").json["state"] == "ready"
    assert_is_error(client.delete(f"{API}/models/tiny?with_files=true"), 409)
    assert client.delete(f"{API}/saes/tiny-sae?with_files=true").status_code == 204
    assert client.delete(f"{API}/models/tiny").status_code == 204
    hidden = client.get(f"{API}/models").json["items"]
    assert [m["model_id"] for m in hidden] == ["actiscope-demo"]
    every = client.get(f"{API}/models?include_deleted=true").json["items"]
    assert [m["state"] for m in every] == ["ready", "deleted"]
    assert client.post(f"{API}/models/tiny/restore").json["state"] == "ready"


def test_ids_with_a_slash_are_addresses(one_client: FlaskClient, one_shop: Shop) -> None:
    tiny.save_sae(one_shop.home, "owner/name")
    assert one_client.get(f"{API}/saes/owner/name").json["sae_id"] == "owner/name"
    assert one_client.get(f"{API}/saes/owner/name/preflights").json == {"items": []}
    refused = one_client.post(f"{API}/saes/owner/name/preflight")
    assert_is_error(refused, 404)
    assert one_client.delete(f"{API}/saes/owner/name").status_code == 204


def test_the_catalogue_is_searched(one_client: FlaskClient) -> None:
    asked = {"q": "gemma-2-2b layer 12 16k", "limit": 7}
    page = one_client.get(f"{API}/saes/catalogue", query_string=asked).json
    schemas.CatalogueBody.model_validate(page)
    assert len(page["items"]) == 7 < page["total"]
    first = page["items"][0]
    assert (first["model"], first["layer"], first["width"]) == ("gemma-2-2b", 12, 16384)
    assert first["neuronpedia_url"] == f"https://neuronpedia.org/{first['neuronpedia_id']}"
    second = one_client.get(f"{API}/saes/catalogue", query_string=asked | {"offset": 7}).json
    assert not {(e["release"], e["sae_id"]) for e in page["items"]} & {
        (e["release"], e["sae_id"]) for e in second["items"]
    }


def test_a_task_is_cancelled(one_client: FlaskClient, one_shop: Shop) -> None:
    tiny.save_model(one_shop.home, "tiny")
    tiny.save_sae(one_shop.home)
    answer = one_client.post(f"{API}/saes/tiny-sae/preflight")
    assert (
        one_client.post(f"{API}/saes/tiny-sae/preflight").json["task_id"]
        == (answer.json["task_id"])
    )
    one_client.post(f"{API}/tasks/{answer.json['task_id']}/cancel")
    assert ended(one_client, answer)["status"] == "cancelled"
    assert_is_error(one_client.delete(f"{API}/models/nothing"), 404)
    assert one_client.get(f"{API}/saes/tiny-sae").json["preflight"] is None


def test_folders_that_are_not_open_are_refused(
    one_client: FlaskClient, one_shop: Shop, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    tiny.save_sae(secret)
    tiny.save_model(secret, "tiny")
    (one_shop.folder / "link").symlink_to(secret)
    paths = [secret, one_shop.folder / "link", one_shop.folder / "../secret", "/", "/etc/passwd"]
    for path in map(str, paths):
        for address in ("saes", "saes/look", "models"):
            answer = one_client.post(f"{API}/{address}", json={"source": "local", "path": path})
            body = assert_is_error(answer, 400)
            assert "ACTISCOPE_LOCAL_ROOTS" in body["message"]
    for path in ("", "saes", "\x00", "~nobody/x", "a" * 5000, "x\ud800"):
        answer = one_client.post(f"{API}/saes/look", json={"source": "local", "path": path})
        assert_is_error(answer, 400)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"source": "local"},
        {"source": "elsewhere", "path": "/x"},
        {"source": "huggingface"},
        {"source": "huggingface", "repo_id": "a/b/c"},
        {"source": "huggingface", "repo_id": "../x"},
        {"source": "huggingface", "repo_id": "a/b", "path": "/x"},
        {"source": "huggingface", "repo_id": "a/b", "revision": "../../x y"},
        {"source": "local", "path": "/x", "repo_id": "a/b"},
        {"source": "local", "path": "/x", "surprise": 1},
        {"source": "local", "path": 5},
        {"source": "local", "path": "/x", "model_id": "../../x"},
        {"source": "local", "path": "/x", "model_id": ".hidden"},
    ],
)
def test_bad_requests_name_what_is_wrong(one_client: FlaskClient, body: dict[str, Any]) -> None:
    for address in ("saes", "models"):
        assert_is_error(one_client.post(f"{API}/{address}", json=body), 400)


@pytest.mark.parametrize(
    "given",
    [
        {"release": "x"},
        {"release": "x", "catalogue_ids": []},
        {"catalogue_ids": ["x"]},
        {"release": "x", "catalogue_ids": ["y"], "path": "/x"},
        {"release": RELEASE, "catalogue_ids": [IN_RELEASE], "revision": "v9"},
        {"release": "x", "catalogue_ids": ["y", "z"], "sae_id": "a"},
        {"release": "x", "catalogue_ids": ["y", "z"], "hook_name": "blocks.0.hook_resid_post"},
        {"release": "x", "catalogue_ids": ["y"], "preflight": "yes"},
    ],
)
def test_bad_catalogue_requests_are_refused(one_client: FlaskClient, given: dict[str, Any]) -> None:
    assert_is_error(one_client.post(f"{API}/saes", json={"source": "catalogue"} | given), 400)


def test_bad_bodies_and_unknown_ids_are_refused_everywhere(one_client: FlaskClient) -> None:
    for address in ("saes", "models", "saes/look"):
        for name, body in corpus.BAD_BODIES.items():
            answer = one_client.post(f"{API}/{address}", data=body, content_type="application/json")
            assert answer.status_code in (400, 413, 422), f"{address}: {name}"
            assert_is_error(answer, 400, 413, 422)
    for method, address in (
        ("GET", "models/none"), ("DELETE", "models/none"), ("POST", "models/none/load"),
        ("POST", "models/none/unload"), ("POST", "models/none/restore"),
        ("GET", "saes/none/at-all"), ("DELETE", "saes/none"), ("POST", "saes/none/preflight"),
        ("GET", "saes/none/preflights"), ("POST", "saes/none/restore"),
        ("GET", "tasks/none"), ("POST", "tasks/none/cancel"), ("GET", "models/%00"),
    ):  # fmt: skip
        assert_is_error(one_client.open(f"{API}/{address}", method=method), 404)
    for address in ("models?x=1", "saes?verdict=fine", "saes/catalogue?limit=0", "tasks?x=1"):
        assert_is_error(one_client.get(f"{API}/{address}"), 400)
