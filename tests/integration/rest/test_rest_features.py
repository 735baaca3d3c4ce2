"""What fired, over REST: rows, rankings, changes, files, code, extract."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator

import pyarrow.parquet as pq
import pytest

from services.container import Container
from services.settings import Settings
from services.web import schemas
from services.web.registry_schemas import ModelsBody
from tests.integration.rest.conftest import Api, assert_is_error, served


@pytest.fixture(scope="module")
def api(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("features")
    container = Container(Settings(home=home, database_url=module_database_url, preload=False))
    with served(container) as made:
        yield made
    container.close()


@pytest.fixture(scope="module")
def made(api: Api) -> str:
    return api.made(prompt="=cmd|' /C calc'!A0 and more", max_tokens=5)


def test_pages_of_rows_are_the_whole_and_the_total_says_how_many(api: Api, made: str) -> None:
    whole = api.get(f"{made}/rows", limit=100_000).json
    schemas.RowsBody.model_validate(whole)
    assert whole["total"] == whole["row_count"] == len(whole["rows"])
    assert whole["total"] == api.get(f"{made}/summary").json["activation_rows_count"]
    assert whole["next_offset"] is None
    pages, offset = [], 0
    while offset is not None:
        page = api.get(f"{made}/rows", limit=97, offset=offset).json
        pages += page["rows"]
        offset = page["next_offset"]
    assert pages == whole["rows"]


def test_rows_are_ranked_from_one_and_stepped_from_the_first_written_token(
    api: Api, made: str
) -> None:
    summary = api.get(f"{made}/summary").json
    for row in api.get(f"{made}/rows", limit=100_000).json["rows"]:
        written = row["token_position"] - summary["prompt_tokens"] + 1
        assert row["step"] == max(written, 0)
        assert row["segment"] == ("output" if written > 0 else "prompt")
        assert 1 <= row["rank"] <= summary["sae_top_k"]


@pytest.mark.parametrize(
    ("filters", "keeps"),
    [
        ({"token_start": 2, "token_end": 4}, lambda r: 2 <= r["token_position"] <= 4),
        ({"rank_max": 1}, lambda r: r["rank"] == 1),
        ({"segment": "output"}, lambda r: r["segment"] == "output"),
        ({"include_special": "false"}, lambda r: not r["is_special"]),
        ({"sae_id": "demo-l2-res"}, lambda r: r["sae_id"] == "demo-l2-res"),
        ({"sae_layer": 1}, lambda r: r["sae_id"] == "demo-l1-res"),
    ],
)
def test_a_filter_keeps_exactly_its_rows(api: Api, made: str, filters: dict, keeps: object) -> None:
    whole = api.get(f"{made}/rows", limit=100_000).json["rows"]
    kept = api.get(f"{made}/rows", limit=100_000, **filters).json["rows"]
    assert kept == [row for row in whole if keeps(row)]
    assert kept and len(kept) < len(whole)


def test_one_feature_is_found_wherever_it_fires(api: Api, made: str) -> None:
    top = api.get(f"{made}/top-features", n=1).json["items"][0]
    feature = {"sae_id": top["sae_id"], "feature_id": top["feature_id"]}
    rows = api.get(f"{made}/rows", **feature, include_special="false").json["rows"]
    assert len(rows) == top["hits"]
    assert max(row["activation_value"] for row in rows) == top["max_activation"]


def test_top_features_agree_with_the_rows(api: Api, made: str) -> None:
    answer = api.get(f"{made}/top-features", n=500, include_special="true").json
    schemas.TopFeaturesBody.model_validate(answer)
    rows = api.get(f"{made}/rows", limit=100_000).json["rows"]
    assert sum(item["hits"] for item in answer["items"]) <= len(rows)
    for item in answer["items"]:
        values = [
            row["activation_value"]
            for row in rows
            if (row["sae_id"], row["feature_id"]) == (item["sae_id"], item["feature_id"])
        ]
        assert len(values) == item["hits"]
        assert max(values) == item["max_activation"]
        assert item["mean_activation"] == pytest.approx(sum(values) / len(values))


def test_special_tokens_count_only_when_asked(api: Api, made: str) -> None:
    special = {t["position"] for t in api.get(made).json["tokens"] if t["is_special"]}
    without = api.get(f"{made}/top-features", n=500).json["items"]
    assert special
    assert all(item["argmax_position"] not in special for item in without)


def test_deltas_are_changes_against_the_position_before_or_a_baseline(api: Api, made: str) -> None:
    top = api.get(f"{made}/top-features", n=1).json["items"][0]
    feature = {"sae_id": top["sae_id"], "feature_id": top["feature_id"]}
    answer = api.get(f"{made}/feature-deltas", **feature).json
    schemas.FeatureDeltasBody.model_validate(answer)
    items = answer["items"]
    assert items[0]["delta"] is None
    for before, item in itertools.pairwise(items):
        change = item["activation_value"] - before["activation_value"]
        assert item["delta"] == pytest.approx(change)
    same = api.get(f"{made}/feature-deltas", **feature, baseline=made).json["items"]
    assert [item["delta"] for item in same] == [0.0] * len(items)
    assert len(api.get(f"{made}/feature-deltas", **feature, limit=2).json["items"]) == 2
    assert_is_error(api.get(f"{made}/feature-deltas", **feature, baseline="none"), 404)
    assert_is_error(api.get(f"{made}/feature-deltas"), 400)


def test_the_csv_reads_back_as_the_rows_and_no_cell_is_a_formula(api: Api, made: str) -> None:
    answer = api.get(f"{made}/download", what="rows", format="csv")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert made in answer.headers["Content-Disposition"]
    cells = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline="")))
    rows = api.get(f"{made}/rows", limit=100_000).json["rows"]
    assert len(cells) == len(rows)
    assert any(row["token_str"].startswith("=") for row in rows)
    for cell, row in zip(cells, rows, strict=True):
        assert not cell["token_str"].lstrip().startswith(("=", "+", "-", "@"))
        assert float(cell["activation_value"]) == pytest.approx(row["activation_value"])


def test_every_download_is_a_file_of_its_kind(api: Api, made: str) -> None:
    rows = api.get(f"{made}/rows", limit=100_000).json["rows"]
    parquet = api.get(f"{made}/download", what="rows", format="parquet").get_data()
    assert pq.read_table(io.BytesIO(parquet)).num_rows == len(rows)
    some = api.get(f"{made}/download", what="rows", format="parquet", rank_max=1).get_data()
    assert 0 < pq.read_table(io.BytesIO(some)).num_rows < len(rows)
    top = api.get(f"{made}/download", what="top-features", format="parquet", n=3).get_data()
    assert pq.read_table(io.BytesIO(top)).num_rows == 3
    whole = json.loads(api.get(f"{made}/download", what="run", format="json").get_data())
    assert whole.pop("labels") == {"demo-l1-res": {}, "demo-l2-res": {}}
    assert whole == api.get(made).json
    assert_is_error(api.get(f"{made}/download", what="run", format="csv"), 400)
    assert_is_error(api.get(f"{made}/download", what="rows", format="xlsx"), 400)


def test_code_comes_as_text_and_the_curl_command_makes_the_run_again(api: Api, made: str) -> None:
    python = api.get(f"{made}/code", language="python")
    assert python.mimetype == "text/plain"
    compile(python.get_data(as_text=True), "script", "exec")
    curl = api.get(f"{made}/code", language="curl").get_data(as_text=True)
    assert curl.startswith("curl ") and "/api/v1/playground/activations/run" in curl
    assert_is_error(api.get(f"{made}/code", language="perl"), 400)


def test_extracting_the_tokens_of_a_run_gives_its_features_and_stores_nothing(
    api: Api, made: str
) -> None:
    run = api.get(made).json
    ids = [token["token"] for token in run["tokens"]]
    stored = len(api.get("runs").json["items"])
    answer = api.send("POST", "extract", json={"token_ids": ids, "top_k": 20})
    assert answer.status_code == 200
    schemas.ExtractBody.model_validate(answer.json)
    for ours, theirs in zip(answer.json["features"], run["features"], strict=True):
        assert ours["sae_id"] == theirs["sae_id"]
        top = [point["top_features"] for point in ours["feature_timeline"]]
        assert top == [point["top_features"] for point in theirs["feature_timeline"]]
    assert len(api.get("runs").json["items"]) == stored


def test_models_and_health_say_what_is_there(api: Api) -> None:
    models = api.client.get("/api/v1/models").json
    ModelsBody.model_validate(models)
    assert models["items"][0]["model_id"] == "actiscope-demo"
    assert {sae["sae_id"] for sae in models["items"][0]["saes"]} == {"demo-l1-res", "demo-l2-res"}
    health = api.get("health").json
    schemas.HealthBody.model_validate(health)
    assert health["index_db_reachable"] and health["hf_inference_reachable"]
    assert health["sae_reachable"]
    assert "password" not in json.dumps(health)
