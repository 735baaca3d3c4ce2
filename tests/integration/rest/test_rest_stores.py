"""Stores over REST: each answer as described and equal to brute force, each refusal in one shape;
and Arrow over a real socket.
"""

from __future__ import annotations

import re
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import waitress
from flask.testing import FlaskClient
from pydantic import BaseModel

from services.container import Container
from services.settings import PROJECT_ROOT, Settings
from services.store import StoreWriter
from services.stores import activations
from services.stores.arrow import MEDIA_TYPE
from services.web import install, make_server
from services.web import store_schemas as schemas
from tests.integration.rest.conftest import assert_is_error
from tests.made_stores import build, dense, fill, spec
from tests.made_texts import Texts

API = "/api/v1/stores"
FEATURE = 5


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts(600, density=0.2)


@pytest.fixture(scope="module")
def values(texts: Texts) -> np.ndarray:
    return texts.corpus.values.astype(np.float16).astype(np.float32)


@pytest.fixture(scope="module")
def client(texts: Texts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    home = tmp_path_factory.mktemp("home")
    texts.build(home / "stores" / "one")
    build(home / "stores" / "bare", dense(60))
    container = Container(Settings(home=home, preload=False))
    server = make_server(container.settings)
    install(server, container, list)
    with server.test_client() as made:
        yield made
    container.close()


def asked(client: FlaskClient, path: str, body: type[BaseModel], **parameters: Any) -> Any:
    answer = client.get(f"{API}/{path}".rstrip("/"), query_string=parameters)
    assert answer.status_code == 200, answer.text
    body.model_validate(answer.json, strict=False)
    assert set(answer.json) == set(body.model_fields)
    return answer.json


def read(answer: Any) -> pa.Table:
    assert answer.status_code == 200 and answer.mimetype == MEDIA_TYPE
    assert answer.headers["Content-Disposition"].startswith("attachment")
    return pa.ipc.open_stream(answer.data).read_all()


def test_stores_and_their_health(client: FlaskClient, texts: Texts) -> None:
    assert asked(client, "", schemas.StoresBody)["items"] == ["bare", "one"]
    health = asked(client, "one/health", schemas.StoreHealthBody)
    assert (health["is_complete"], health["n_tokens"]) == (True, 600)
    assert health["spec"]["metadata"] == {"source": "string", "year": "int64"}
    assert not asked(client, "bare/health", schemas.StoreHealthBody)["has_vocabulary"]


def test_features(client: FlaskClient, values: np.ndarray) -> None:
    page = asked(
        client, "one/features", schemas.StoreFeaturesBody,
        sort="n", descending="true", limit=3, range="n:1..", dead="false",
    )  # fmt: skip
    n = (values != 0).sum(0)
    order = np.lexsort((np.arange(24), -n))[:3]
    assert [row["feature"] for row in page["items"]] == order.tolist()
    assert (page["total"], page["next_offset"]) == (23, 3)
    row = set(schemas.StoreFeatureRowBody.model_fields)
    assert all(set(item) == row for item in page["items"])
    one = asked(client, f"one/features/{FEATURE}", schemas.StoreFeatureBody, examples=2, width=4)
    assert one["n"] == n[FEATURE] and len(one["top"]) == 2
    assert one["top"][0]["value"] == values[:, FEATURE].max()
    table = read(client.get(f"{API}/one/features?format=arrow"))
    assert table.column("n").to_pylist() == n.tolist() and table.num_rows == 24


def test_activations_in_json(client: FlaskClient, texts: Texts, values: np.ndarray) -> None:
    path = f"one/activations/{FEATURE}"
    found: list[int] = []
    after: int | None = None
    while True:
        wanted = {"limit": 20} | ({} if after is None else {"after": after})
        page = asked(client, path, schemas.ActivationsBody, **wanted)
        found += page["positions"]
        after = page["next_after"]
        if after is None:
            break
    assert found == np.flatnonzero(values[:, FEATURE]).tolist()
    code = asked(client, path, schemas.ActivationsBody, **{"meta.source": "code", "min_value": 1})
    numbers = [i for i, d in enumerate(texts.corpus.documents) if d["source"] == "code"]
    mask = np.isin(texts.corpus.document_of, numbers) & (values[:, FEATURE] >= 1)
    assert code["positions"] == np.flatnonzero(mask).tolist()
    same = asked(client, path, schemas.ActivationsBody, where='{"source": "code"}', min_value=1)
    assert same == code
    samples = [asked(client, path, schemas.ActivationsBody, sample=9, seed=s) for s in (1, 1, 2)]
    assert samples[0] == samples[1] != samples[2]


@pytest.mark.parametrize(
    "parameters", [{}, {"min_value": 1}, {"meta.source": "web"}, {"sample": 30, "seed": 4}]
)
def test_activations_in_arrow(
    client: FlaskClient, values: np.ndarray, parameters: dict[str, Any]
) -> None:
    path = f"{API}/one/activations/{FEATURE}"
    answer = client.get(f"{path}/arrow", query_string=parameters | {"documents": "true"})
    table = read(answer)
    more = {} if "sample" in parameters else {"limit": 10_000}
    page = client.get(path, query_string=parameters | more).json
    assert table.column("position").to_pylist() == page["positions"]
    assert table.column("value").to_numpy().tolist() == page["values"]
    assert table.column("document").to_pylist() == page["documents"]
    plain = read(client.get(f"{path}/arrow", query_string=parameters))
    assert plain.equals(table.select(["position", "value"]))


def test_tokens_contexts_and_documents(client: FlaskClient, texts: Texts) -> None:
    body = asked(client, "one/tokens/30", schemas.TokensFeaturesBody, count=4, top=2)
    assert [item["token"]["position"] for item in body["items"]] == [30, 31, 32, 33]
    context = asked(client, "one/context/30", schemas.StoreContextBody, width=5, feature=0)
    assert "".join(context["pieces"]) == context["text"] and len(context["values"]) > 1
    page = asked(
        client, "one/documents", schemas.StoreDocumentsBody, limit=2, **{"meta.year": 2001}
    )
    assert {item["metadata"]["year"] for item in page["items"]} == {2001}
    part = asked(client, "one/documents/3", schemas.DocumentPartBody, limit=2)
    assert part["document"]["name"] == "document 3" and part["tokens"][0]["starts_document"]
    asked(client, "one/documents/3/features", schemas.DocumentFeaturesBody, sort="n")


def test_the_vocabulary(client: FlaskClient, texts: Texts) -> None:
    inverse = asked(client, "one/context/inv_vocab", schemas.InverseVocabBody)["inv_vocab"]
    assert len(inverse) == len(texts.spelled) and inverse["0"] == "<bos>"
    vocab = asked(client, "one/context/vocab", schemas.VocabBody)["vocab"]
    assert all(inverse[str(token_id)] == text for text, token_id in vocab.items())
    table = read(client.get(f"{API}/one/context/vocab?format=arrow"))
    assert table.column("bytes").to_pylist() == texts.spelled
    for path in ("context/vocab", "context/inv_vocab", "search?text=a"):
        assert_is_error(client.get(f"{API}/bare/{path}"), 422)


def test_search_partners_and_breakdown(client: FlaskClient, texts: Texts) -> None:
    found = asked(client, "one/search", schemas.SearchBody, text="aB", limit=3)
    matches = texts.matches("ab")
    assert found["n_matches"] == len(matches) > 3 and found["next_start"] is None
    assert [(m["start"], m["stop"] - 1) for m in found["matches"]] == matches[:3]
    exact = asked(client, "one/search", schemas.SearchBody, text="aB", case_sensitive="true")
    assert exact["n_matches"] == len(texts.matches("aB", True)) < len(matches)
    partners = asked(client, "one/coactivation/5", schemas.CoactivationBody, measure="correlation")
    assert [item["feature"] for item in partners["items"]].count(5) == 0
    rows = asked(client, "one/breakdown/5", schemas.BreakdownBody, column="source")["items"]
    assert {row["value"] for row in rows} == {"web", "code", None}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("two/health", 404),
        ("..%2Fone/health", 404),
        (".one/health", 404),
        ("one/features?limit=501", 400),
        ("one/features?sort=position_offset", 400),
        ("one/features?range=n", 400),
        ("one/features?unknown=1", 400),
        ("one/features?format=arrow&limit=3", 400),
        ("one/features/24", 404),
        ("one/features/x", 400),
        ("one/features/-1", 400),
        ("one/activations/99", 404),
        ("one/activations/5?limit=10001", 400),
        ("one/activations/5?limit=0", 400),
        ("one/activations/5?after=-1", 400),
        ("one/activations/5?min_value=inf", 400),
        ("one/activations/5?where=[", 400),
        ("one/activations/5?meta.nothing=1", 400),
        ("one/activations/5?meta.year=x", 400),
        ("one/activations/5/arrow?limit=3", 400),
        ("one/activations/99/arrow", 404),
        ("one/tokens/600", 404),
        ("one/tokens/1?count=513", 400),
        ("one/context/600", 404),
        ("one/context/1?width=513", 400),
        ("one/context/1?feature=24", 404),
        ("one/documents/9999", 404),
        ("one/documents?meta.x=1", 400),
        ("one/search", 400),
        ("one/search?text=" + "a" * 501, 400),
        ("one/coactivation/5?measure=luck", 400),
        ("one/breakdown/5", 400),
        ("one/breakdown/5?column=nothing", 400),
        ("bare/features/3?width=x", 400),
    ],
)
def test_refusals(client: FlaskClient, path: str, status: int) -> None:
    assert_is_error(client.get(f"{API}/{path}"), status)


def test_a_store_that_fills_and_one_that_is_damaged(client: FlaskClient) -> None:
    stores = client.application.extensions["actiscope"].container.settings.home / "stores"
    writer = StoreWriter.open_for_resume(str(stores / "filling"), spec())
    fill(writer, dense(300), stop=200)
    try:
        assert not asked(client, "filling/health", schemas.StoreHealthBody)["is_complete"]
        asked(client, "filling/features", schemas.StoreFeaturesBody, sort="n")
        asked(client, "filling/features/0", schemas.StoreFeatureBody)
        assert_is_error(client.get(f"{API}/filling/features?sort=max"), 503)
        assert_is_error(client.get(f"{API}/filling/coactivation/0"), 503)
        shutil.copytree(stores / "bare", stores / "damaged")
        next((stores / "damaged" / "features" / "g0001").glob("00*.arrow")).unlink()
        answer = client.get(f"{API}/damaged/activations/0")
        assert (answer.status_code, answer.json["error_code"]) == (500, "DAMAGED_STORE")
        assert answer.json["details"]["path"] in answer.json["message"]
    finally:
        shutil.rmtree(stores / "filling")
        shutil.rmtree(stores / "damaged", ignore_errors=True)


@pytest.fixture
def address(client: FlaskClient) -> Iterator[str]:
    """The server as the product serves it, on a port of this machine."""
    server = waitress.create_server(client.application, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()


def test_arrow_over_a_socket(
    address: str, values: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activations, "_BATCH", 64)
    for query in ("", "?min_value=0.75", "?documents=true"):
        with urllib.request.urlopen(f"{address}{API}/one/activations/0/arrow{query}") as answer:
            sized = answer.headers["Content-Length"]
            content = answer.read()
        assert sized == (str(len(content)) if not query else None)
        table = pa.ipc.open_stream(content).read_all()
        column = values[:, 0] * (values[:, 0] >= (0.75 if "min" in query else 0))
        assert table.column("position").to_pylist() == np.flatnonzero(column).tolist()
        assert table.column("value").to_numpy().tolist() == column[column != 0].tolist()
    assert len(table.column(0).chunks) > 3
    frame = pl.read_ipc_stream(content)
    assert isinstance(frame, pl.DataFrame) and frame.height == table.num_rows


def test_the_examples_of_the_documentation(address: str, values: np.ndarray) -> None:
    page = (PROJECT_ROOT / "docs" / "store.md").read_text()
    page = page.replace("http://127.0.0.1:8050", address).replace("stores/ID/", "stores/one/")
    (example,) = [e for e in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "http" in e]
    names: dict[str, Any] = {}
    exec(compile(example, "docs/store.md", "exec"), names)
    fired = np.flatnonzero(values[:, 7])
    assert names["found"].column("position").to_pylist() == fired.tolist()
    assert names["found"].column("value").to_numpy().tolist() == values[fired, 7].tolist()
    (url,) = re.findall(r"^curl '(.*)'$", page, re.MULTILINE)
    with urllib.request.urlopen(url) as answer:
        found = schemas.ActivationsBody.model_validate_json(answer.read())
    assert found.positions and min(found.values) >= 1.5


def test_every_path_is_in_the_documentation(client: FlaskClient) -> None:
    page = (PROJECT_ROOT / "docs" / "store.md").read_text()
    named = {re.sub(r"{\w+}", "{}", path) for path in re.findall(r"`(/[\w/{}]+)(?:\?.*?)?`", page)}
    paths = client.get("/api/v1/openapi.json").json["paths"]
    below = {re.sub(r"{\w+}", "{}", p.removeprefix(API)) for p in paths if p.startswith(API + "/")}
    assert {path.removeprefix("/{}") for path in below} <= named


def test_the_document_of_rest_describes_it(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json").json
    paths = {path: methods for path, methods in document["paths"].items() if path.startswith(API)}
    assert len(paths) == 16 and all(set(methods) == {"get"} for methods in paths.values())
    content = paths[f"{API}/{{store_id}}/activations/{{feature}}/arrow"]["get"]["responses"]["200"]
    assert set(content["content"]) == {MEDIA_TYPE}
