"""Extractions over REST, on both databases: from the start to a store that equals brute force."""

from __future__ import annotations

import io
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from flask.testing import FlaskClient
from safetensors.numpy import load_file

from services.container import Container
from services.registry.requests import SaeQuery
from services.sae.config import WEIGHTS
from services.types import JobStatus
from services.web import extraction_schemas as schemas
from services.web.feature_table_schemas import FeatureTableBody
from tests.integration.extraction.conftest import SAE, SECOND, corpus_id, rows
from tests.integration.rest.conftest import assert_is_error

API, SAES = "/api/v1/extractions", "/api/v1/saes"


@pytest.fixture
def container(furnished: Container) -> Container:
    return furnished


def start(client: FlaskClient, container: Container, **body: Any) -> Any:
    asked = {"sae_ids": [SAE], "corpus_id": corpus_id(container, "small")} | body
    return client.post(API, json=asked)


def one(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 202, answer.get_data(as_text=True)
    schemas.StartedBody.model_validate(answer.json)
    first: dict[str, Any] = answer.json["items"][0]
    return first


def shown(client: FlaskClient, extraction_id: str) -> dict[str, Any]:
    answer = client.get(f"{API}/{extraction_id}")
    schemas.ExtractionBody.model_validate(answer.json)
    assert set(answer.json) == set(schemas.ExtractionBody.model_fields)
    return answer.json


def until_under_way(client: FlaskClient, item: dict[str, Any]) -> None:
    """Until some of its tokens are done."""
    deadline = time.monotonic() + 120
    while (view := shown(client, item["extraction_id"]))["phase"] != "extracting" or not view[
        "done"
    ]:
        assert view["status"] in ("queued", "running"), view
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ended(container: Container, job_id: str, status: JobStatus = JobStatus.SUCCEEDED) -> None:
    container.jobs.work()
    view = container.jobs.wait(job_id, 240)
    assert view.status is status, (view, container.jobs.log(job_id))


def brute_force(container: Container, sae_id: str, layer: int) -> np.ndarray:
    """[tokens, features] of all documents, one after the other, by transformers alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = container.settings.home / "models" / "tiny"
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    w = load_file(container.settings.home / "saes" / sae_id / WEIGHTS)
    found = []
    for row in rows(20):
        ids = torch.tensor([[1, *tokenizer(row["text"], add_special_tokens=False)["input_ids"]]])
        with torch.no_grad():
            blocks = model.model(ids, output_hidden_states=True).hidden_states
            x = blocks[layer + 1][0].numpy()
        pre = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
        features = np.where(pre > w["threshold"], np.maximum(pre, 0), 0)
        features[0] = 0  # BOS is stored, without features
        found.append(features)
    return np.concatenate(found)


def test_a_store_over_rest_equals_brute_force(client: FlaskClient, container: Container) -> None:
    begun = start(client, container, sae_ids=[SAE, SECOND], precision="float32")
    both = begun.json["items"]
    assert one(begun)["status"] == "queued"
    assert [item["sae_id"] for item in both] == [SAE, SECOND]
    assert both[0]["extraction_id"].startswith(f"ext_sae_{SAE}_")
    assert both[0]["job_id"] == both[1]["job_id"] == begun.json["job_id"]
    ended(container, begun.json["job_id"])
    for item, layer in zip(both, (1, 2), strict=True):
        # blocks.2 is the last one: its hidden state is read before the final norm
        if layer == 1:
            dense = brute_force(container, item["sae_id"], layer)
            _assert_equal(client, item["extraction_id"], dense)
        view = shown(client, item["extraction_id"])
        assert (view["status"], view["is_complete"], view["source_type"]) == (
            *("succeeded", True, "sae"),
        )
        assert view["live"]["nnz"] > 0
        assert view["size_bytes"] > 0
    listed = client.get(f"{API}?status=succeeded&sae_id={SAE}").json
    schemas.ExtractionsBody.model_validate(listed)
    assert [i["extraction_id"] for i in listed["items"]] == [both[0]["extraction_id"]]


def _assert_equal(client: FlaskClient, store_id: str, dense: np.ndarray) -> None:
    stores = "/api/v1/stores"
    health = client.get(f"{stores}/{store_id}/health").json
    assert health["n_tokens"] == len(dense)
    features = client.get(f"{SAES}/{SAE}/features?limit=500")
    FeatureTableBody.model_validate(features.json)
    assert features.json["store_id"] == store_id
    counts = np.array([row["n"] for row in features.json["items"]])
    assert counts.tolist() == (dense > 0).sum(0).tolist()
    for feature in np.flatnonzero(counts)[:5]:
        answer = client.get(f"{stores}/{store_id}/activations/{feature}/arrow")
        table = pa.ipc.open_stream(io.BytesIO(answer.data)).read_all()
        where = np.flatnonzero(dense[:, feature])
        assert table["position"].to_pylist() == where.tolist()
        np.testing.assert_allclose(table["value"].to_numpy(), dense[where, feature], rtol=1e-4)


def test_the_addresses_of_an_sae(client: FlaskClient, container: Container) -> None:
    address = f"{SAES}/{SECOND}"
    assert_is_error(client.get(f"{address}/extraction-status"), 404)
    assert client.get(f"{address}/features").json["store_id"] is None
    assert_is_error(client.get(f"{SAES}/none/features"), 404)
    assert_is_error(client.get(f"{SAES}/none/extraction-status"), 404)
    assert_is_error(client.post(f"{address}/cancel-extraction"), 404)
    body = {"corpus_id": corpus_id(container, "small")}
    begun = client.post(f"{address}/extract-features", json=body)
    item = one(begun)
    assert begun.headers["Location"].endswith(item["extraction_id"])
    assert client.get(f"{address}/extraction-status").json == item
    cancelled = client.post(f"{address}/cancel-extraction")
    assert (cancelled.status_code, cancelled.json["status"]) == (200, "cancelled")
    assert client.get(f"{address}/features").json["store_id"] is None  # nothing was done
    assert client.post(f"{API}/{item['extraction_id']}/retry").json["status"] == "queued"
    ended(container, item["job_id"])
    found = client.get(f"{address}/features?sort=n&descending=true&limit=3").json
    assert found["store_id"] == item["extraction_id"]
    assert len(found["items"]) == 3
    assert_is_error(client.post(f"{API}/{item['extraction_id']}/retry"), 409)
    assert_is_error(client.get(f"{address}/features?format=csv"), 400)


def test_what_is_cancelled_is_kept_and_goes_on(client: FlaskClient, container: Container) -> None:
    body = {
        "corpus_id": corpus_id(container, "large"),
        "batch_tokens": 32,
        "packing": {"context": 32},
    }
    item = one(start(client, container, **body))
    container.jobs.work()
    until_under_way(client, item)
    client.post(f"{API}/{item['extraction_id']}/cancel")
    assert container.jobs.wait(item["job_id"], 60).status is JobStatus.CANCELLED
    half = shown(client, item["extraction_id"])
    assert half["has_store"]
    assert not half["is_complete"]
    client.post(f"{API}/{item['extraction_id']}/retry")
    ended(container, item["job_id"])
    whole = one(start(client, container, **body))
    ended(container, whole["job_id"])
    done, other = (shown(client, i["extraction_id"]) for i in (item, whole))
    assert done["is_complete"]
    for name in ("n_tokens", "n_counted", "n_documents", "nnz", "l0_counts", "n_dead"):
        assert done["live"][name] == other["live"][name]
    assert done["live"]["n_tokens"] > half["live"]["n_tokens"]


def test_equal_requests_make_one_extraction(client: FlaskClient, container: Container) -> None:
    def ask(_: int) -> Any:
        with client.application.test_client() as own:
            return start(own, container, request_key="mine")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {a.status_code for a in answers} == {202}, [a.json for a in answers]
    assert len({one(answer)["extraction_id"] for answer in answers}) == 1
    assert_is_error(start(client, container, request_key="mine", max_tokens=5), 409)
    again = start(client, container)
    assert one(again)["extraction_id"] != one(answers[0])["extraction_id"]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"sae_ids": ["none"]}, 404, "no SAE 'none'"),
    ({"sae_ids": [SAE, SAE]}, 400, "named twice"),
    ({"sae_ids": []}, 400, "sae_ids"),
    ({"corpus_id": "none"}, 404, "no corpus 'none'"),
    ({"metadata": ["colour"]}, 400, "no column 'colour'; its metadata: year"),
    ({"packing": {"context": 129}}, 400, "129.*reads 128"),
    ({"packing": {"context": 16, "stride": 16}}, 400, "stride must be 1 to 15.*not 16"),
    ({"packing": {"context": 16, "stride": 17, "bos": "never"}}, 400, "1 to 16.*not 17"),
    ({"max_tokens": 0}, 400, "max_tokens"),
    ({"max_tokens": 2**53}, 400, "max_tokens"),
    ({"colour": 1}, 400, "colour"),
]


@pytest.mark.parametrize(("body", "status", "says"), REFUSED)
def test_what_cannot_be_is_refused_at_once(
    container: Container, client: FlaskClient, body: dict[str, Any], status: int, says: str
) -> None:
    answer = start(client, container, **body)
    error = assert_is_error(answer, status)
    assert re.search(says, json.dumps(error)), error
    assert client.get(API).json["items"] == []


def test_what_is_used_is_not_removed(client: FlaskClient, container: Container) -> None:
    item = one(start(client, container))
    extraction_id = item["extraction_id"]
    under_way = assert_is_error(client.delete(f"{SAES}/{SAE}"), 409)
    assert f"extraction {extraction_id} is under way" in under_way["message"]
    refused = assert_is_error(client.delete(f"{API}/{extraction_id}"), 409)
    assert "cancel it first" in refused["message"]
    ended(container, item["job_id"])
    used = assert_is_error(client.delete(f"{SAES}/{SAE}?with_files=true"), 409)
    assert f"extraction {extraction_id} was made with it" in used["message"]
    corpus = f"/api/v1/corpora/{item['corpus_id']}"
    needed = assert_is_error(client.delete(f"{corpus}?hard=true"), 409)
    assert "extractions were made of it (1)" in needed["message"]
    assert client.delete(f"{SAES}/{SAE}").status_code == 204
    assert shown(client, extraction_id)["is_complete"]  # out of use, and still to be read
    assert_is_error(start(client, container), 404)
    assert container.stores.list() == (extraction_id,)
    assert client.delete(f"{API}/{extraction_id}").status_code == 204
    assert container.stores.list() == ()
    assert_is_error(client.get(f"{API}/{extraction_id}"), 404)
    assert client.delete(f"{SAES}/{SAE}?with_files=true").status_code == 204
    left = {card.info.sae_id for card in container.registry.saes(SaeQuery(include_deleted=True))}
    assert SECOND in left
    assert SAE not in left


def test_an_estimate_is_near(client: FlaskClient, container: Container) -> None:
    asked = {"sae_ids": [SAE], "corpus_id": corpus_id(container, "large")}
    found = client.post(f"{API}/estimate", json=asked).json
    schemas.EstimateBody.model_validate(found)
    assert found["n_documents"] == 1500
    assert found["seconds"] is None
    assert any("time: not known" in note for note in found["notes"])
    item = one(start(client, container, **asked))
    ended(container, item["job_id"])
    live = shown(client, item["extraction_id"])["live"]
    assert live["n_tokens"] == pytest.approx(found["n_tokens"], rel=0.02)
    after = client.post(f"{API}/estimate", json=asked | {"max_tokens": 1000}).json
    assert after["n_tokens"] == 1000
    assert after["n_documents"] < 1500
    assert after["seconds"] > 0
    assert after["per_sae"][SAE]["l0"] == pytest.approx(live["l0"])
    assert client.get(API).json["items"][0]["extraction_id"] == item["extraction_id"]


def test_a_job_of_removed_extractions_is_not_done(
    container: Container, client: FlaskClient
) -> None:
    body = {
        "corpus_id": corpus_id(container, "large"),
        "batch_tokens": 32,
        "packing": {"context": 32},
    }
    item = one(start(client, container, **body))
    container.jobs.work()
    until_under_way(client, item)
    client.post(f"{API}/{item['extraction_id']}/cancel")
    container.jobs.wait(item["job_id"], 60)
    assert client.delete(f"{API}/{item['extraction_id']}").status_code == 204
    container.jobs.retry(item["job_id"])
    ended(container, item["job_id"], JobStatus.FAILED)
    job = container.jobs.get(item["job_id"])
    assert "was removed: start a new one" in str(job.error_message)
    assert container.stores.list() == ()
