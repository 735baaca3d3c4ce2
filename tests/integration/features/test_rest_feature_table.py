"""The table of features over REST: its answers as described, whole files, refusals in one shape."""

from __future__ import annotations

import base64
import csv
import io
import json

import pyarrow as pa
import pytest

from services.container import Container
from services.features.columns import COLUMNS
from services.settings import Settings
from services.web import feature_table_schemas as schemas
from services.web import install, make_server
from tests import made_features as made
from tests.integration.features.conftest import N_FEATURES, World
from tests.integration.rest.conftest import assert_is_error

BASE = f"/api/v1/saes/{made.SAE}/features"


@pytest.fixture(scope="module")
def container(made_home, tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'a.sqlite'}"
    container = Container(Settings(home=made_home[0], database_url=url, preload=False))
    made.say(container, url, made.said(N_FEATURES))
    yield container
    container.close()


@pytest.fixture(scope="module")
def client(container):
    server = make_server(container.settings)
    install(server, container, list)
    with server.test_client() as client:
        yield client


def get(client, path="", **asked):
    return client.get(f"{BASE}{path}", query_string={"store_id": made.STORE, **asked})


def test_pages_by_cursor_and_by_offset(client, container):
    asked = {"sort": "max", "descending": "true", "limit": 150, "range": "n:1.."}
    expected = World(container, None).ids(sort="max", descending=True, range="n:1..")
    answer = get(client, **asked)
    body = schemas.FeatureTableBody.model_validate(answer.json, strict=True)
    assert (body.store_id, body.is_complete, body.total) == (made.STORE, True, len(expected))
    assert [item.feature for item in body.items] == expected[:150]
    assert (body.next_offset, body.n_features) == (150, N_FEATURES)
    second = get(client, **asked, cursor=body.next_cursor).json
    assert second == get(client, **asked, offset=150).json | {"next_offset": None}
    assert [item["feature"] for item in second["items"]] == expected[150:300]
    named = {"cosine"} ^ {column.name for column in COLUMNS}
    assert named < set(answer.json["items"][0])


def test_lists_in_an_address(client):
    found = get(client, ids="3, 10-12,7").json
    assert [item["feature"] for item in found["items"]] == [3, 7, 10, 11, 12]
    assert found["next_cursor"] is None
    texts = get(client, text="a", search_in="label,notes").json
    assert 0 < texts["total"] < get(client, text="a").json["total"]
    near = get(client, neighbour_of=3, sort="cosine", descending="true").json["items"]
    assert near[0]["cosine"] == max(item["cosine"] for item in near)


def test_whole_files_say_the_same(client):
    asked = {"sort": "label", "text": "b", "dead": "false"}
    answers = {f: get(client, "/export", **asked, format=f) for f in ("csv", "json", "arrow")}
    items = json.loads(answers["json"].data)["items"]
    page = get(client, **asked, limit=500).json
    assert items == page["items"]
    assert len(items) == page["total"] > 50
    assert pa.ipc.open_stream(io.BytesIO(answers["arrow"].data)).read_all().to_pylist() == items
    lines = list(csv.DictReader(io.StringIO(answers["csv"].get_data(as_text=True))))
    assert [int(line["feature"]) for line in lines] == [item["feature"] for item in items]
    assert [json.loads(line["promoted"]) for line in lines] == [i["promoted"] for i in items]
    assert [float(line["max"]) for line in lines] == [item["max"] for item in items]
    names = [a.headers["Content-Disposition"].rsplit(".", 1)[1] for a in answers.values()]
    assert names == ["csv", "json", "arrows"]
    nothing = {f: get(client, "/export", text="qqqqqqq", format=f) for f in answers}
    assert json.loads(nothing["json"].data) == {"sae_id": made.SAE, "total": 0, "items": []}
    assert pa.ipc.open_stream(io.BytesIO(nothing["arrow"].data)).read_all().num_rows == 0


def test_labels_in_a_spreadsheet_are_no_formulas(client, container):
    from services.labels.requests import AddLabel

    label = AddLabel(sae_id=made.SAE, feature_id=3, text="=HYPERLINK(1)", choose=True)
    added = container.labels.add(label)
    text = get(client, "/export", ids="3").get_data(as_text=True)
    assert '"\'=HYPERLINK(1)"' in text
    container.labels.remove(added.label_id)


def test_columns_are_defined(client):
    answer = client.get("/api/v1/features/columns")
    body = schemas.ColumnsBody.model_validate(answer.json)
    assert all(item.definition and item.title for item in body.items)
    for item in body.items:
        if item.is_sortable and item.needs != "query":
            assert get(client, sort=item.name, limit=1).status_code == 200


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("", {"limit": 501}, 400),
        ("", {"sort": "x"}, 400),
        ("", {"ids": "1,,x"}, 400),
        ("", {"cursor": "abc"}, 400),
        ("", {"ids": "400"}, 404),
        ("", {"ids": ",".join(["0-1048575"] * 300)}, 400),
        ("", {"store_id": "none"}, 404),
        ("", {"format": "arrow"}, 400),
        ("/export", {"format": "xlsx"}, 400),
        ("/export", {"limit": 5}, 400),
        ("/export", {"neighbour_of": 400}, 404),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refusals(client, path, asked, status):
    assert_is_error(get(client, path, **asked), status)


def test_a_cursor_that_somebody_wrote_is_answered(client):
    asked = {"sort": "label", "limit": 1}
    cursor = get(client, **asked).json["next_cursor"]
    content = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    made_up = base64.urlsafe_b64encode(json.dumps(["\ud800", *content[1:]]).encode()).decode()
    assert get(client, **asked, cursor=made_up.rstrip("=")).status_code == 200
