"""Decoders over REST: every answer as described, and what to do where there is nothing yet."""

from __future__ import annotations

import io
from dataclasses import asdict

import pyarrow as pa
import pytest

from services.web import decoder_schemas as schemas
from tests.integration.rest.conftest import Api, assert_is_error

SAE = "demo-l1-res"


@pytest.fixture
def table(container):
    """The demo's table, made as an extraction makes it."""
    residents = container.base.residents
    return container.decoders.make(residents.model("actiscope-demo"), residents.sae(SAE))


def get(api: Api, path: str, **parameters):
    return api.client.get(f"/api/v1/saes/{path}", query_string=parameters)


def test_before_an_extraction_it_says_what_makes_it(api):
    for path in (f"{SAE}/decoder", f"{SAE}/decoder/3"):
        error = assert_is_error(get(api, path), 404)
        assert f"actiscope extract --sae {SAE}" in error["message"]
    assert "no SAE 'none'" in assert_is_error(get(api, "none/decoder"), 404)["message"]


def test_a_feature_a_page_and_the_whole_as_arrow(api, table):
    answer = get(api, f"{SAE}/decoder/7")
    assert answer.status_code == 200
    schemas.DecoderFeatureBody.model_validate(answer.json)
    feature = asdict(table.feature(7))
    assert answer.json == feature | {
        name: list(feature[name]) for name in ("top", "bottom", "neighbours")
    }
    page = get(api, f"{SAE}/decoder", limit=3, offset=1020).json
    schemas.DecoderBody.model_validate(page)
    assert [item["feature_id"] for item in page["items"]] == [1020, 1021, 1022]
    assert page["next_offset"] == 1023
    assert page["items"][0]["top"] == get(api, f"{SAE}/decoder/1020").json["top"]
    last = get(api, f"{SAE}/decoder", limit=3, offset=1534).json
    assert (len(last["items"]), last["next_offset"]) == (2, None)

    stream = get(api, f"{SAE}/decoder", format="arrow")
    assert stream.mimetype == "application/vnd.apache.arrow.stream"
    read = pa.ipc.open_stream(io.BytesIO(stream.data)).read_all()
    assert read.equals(table.table())
    some = get(api, f"{SAE}/decoder", format="arrow", limit=5, offset=1022)
    assert pa.ipc.open_stream(io.BytesIO(some.data)).read_all()["feature"].to_pylist() == [
        *range(1022, 1027)
    ]


def test_what_is_wrong_is_said(api, table):
    assert "0 to 1535" in assert_is_error(get(api, f"{SAE}/decoder/1536"), 404)["message"]
    assert_is_error(get(api, f"{SAE}/decoder/x"), 404)
    assert_is_error(get(api, f"{SAE}/decoder/{2**40}"), 400)
    assert_is_error(get(api, f"{SAE}/decoder", limit=0), 400)
    assert_is_error(get(api, f"{SAE}/decoder", form="arrow"), 400)
    assert "format=arrow" in assert_is_error(get(api, f"{SAE}/decoder", limit=1001), 413)["message"]
