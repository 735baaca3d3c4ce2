"""Labels over REST: every answer as described, every refusal in the one shape."""

from __future__ import annotations

import json

import pytest

from services.web import label_schemas as schemas
from tests.integration.rest.conftest import Api, assert_is_error

SAE = "demo-l1-res"
LABELS = f"/api/v1/saes/{SAE}/labels"


@pytest.fixture
def database_url(sqlite_url):
    """The statements are tested on both databases in tests/integration/labels."""
    return sqlite_url


def made(api: Api, feature: int = 3, **body):
    address = f"/api/v1/saes/{SAE}/features/{feature}/labels"
    answer = api.client.post(address, json={"text": "a label"} | body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.json


def test_a_label_from_beginning_to_end(api):
    label = made(api, category="form", author="ada")
    schemas.LabelBody.model_validate(label)
    assert (label["author"], label["source"], label["extra"]) == ("ada", "human", {})
    address = f"/api/v1/labels/{label['label_id']}"
    assert api.client.get(address).json == label
    edited = api.client.patch(address, json={"notes": "**n**", "category": None}).json
    assert (edited["notes"], edited["category"], edited["text"]) == ("**n**", None, "a label")
    seen = {"text": "x", "if_updated_at": label["updated_at"]}
    assert_is_error(api.client.patch(address, json=seen), 409)
    beside = made(api, text="beside")
    chosen = api.client.post(f"/api/v1/labels/{beside['label_id']}/choose?author=bob")
    assert chosen.json == beside
    feature = api.client.get(f"/api/v1/saes/{SAE}/features/3/labels").json
    schemas.FeatureLabelsBody.model_validate(feature)
    assert [x["text"] for x in feature["labels"]] == ["beside", "a label"]
    newest = feature["history"][0]
    assert (newest["action"], newest["author"]) == ("choose", "bob")
    assert api.client.delete(address).status_code == 204
    assert_is_error(api.client.delete(address), 404)


def test_lists_history_and_undo(api):
    for feature in (1, 5, 9):
        made(api, feature)
    page = api.client.get(LABELS, query_string={"limit": 2}).json
    schemas.LabelsBody.model_validate(page)
    assert [x["feature_id"] for x in page["items"]] == [1, 5]
    rest = api.client.get(LABELS, query_string={"after": page["next_after"]}).json
    assert [x["feature_id"] for x in rest["items"]] == [9] and rest["next_after"] is None
    body = {"feature_ids": [1, 5], "star": True, "category": "c"}
    done = api.client.post(f"{LABELS}/bulk", json=body).json
    assert done["n"] == 2
    history = api.client.get(f"{LABELS}/history", query_string={"batch_id": done["batch_id"]}).json
    schemas.HistoryBody.model_validate(history)
    assert {c["action"] for c in history["items"]} == {"star", "edit"}
    undo = {"batch_id": done["batch_id"]}
    assert api.client.post(f"{LABELS}/undo", json=undo).json["n"] == 2
    assert_is_error(api.client.post(f"{LABELS}/undo", json=undo), 409)
    elsewhere = "/api/v1/saes/demo-l2-res/labels/undo"
    assert_is_error(api.client.post(elsewhere, json=undo), 404)
    assert_is_error(api.client.post(f"{LABELS}/undo", json={}), 400)


def test_marks_status_and_queue(api):
    address = f"/api/v1/saes/{SAE}/features/4/marks"
    marked = api.client.put(address, json={"star": True, "skip": "later"}).json
    assert (marked["is_starred"], marked["skipped"]) == (True, "later")
    assert api.client.put(address, json={"skip": None}).json["skipped"] is None
    assert_is_error(api.client.put(address, json={}), 400)
    assert_is_error(api.client.put(address.replace("/4/", "/1536/"), json={"star": True}), 404)
    status = api.client.get(f"{LABELS}/status").json
    schemas.LabelStatusBody.model_validate(status)
    assert (status["n_features"], status["n_starred"], status["n_skipped"]) == (1536, 1, 0)
    found = api.client.get(f"{LABELS}/next", query_string={"order": "random"}).json
    schemas.QueueBody.model_validate(found)
    assert found["n_left"] == 1536
    assert_is_error(api.client.get(f"{LABELS}/next"), 422)
    assert_is_error(api.client.get(f"{LABELS}/next?order=alphabet"), 400)


def test_files_come_in_by_text_and_by_upload_and_go_out(api):
    text = json.dumps({"1": "one", "2": "two"})
    looked = api.client.post(f"{LABELS}/import", json={"content": text, "dry_run": True}).json
    schemas.ImportReportBody.model_validate(looked)
    assert (looked["n_added"], looked["batch_id"]) == (2, None)
    upload = api.client.post(
        "/api/v1/corpora/uploads?file_name=labels.json",
        data=text.encode(),
        content_type="application/octet-stream",
    ).json
    report = api.client.post(f"{LABELS}/import", json=upload).json
    assert (report["n_added"], report["format"]) == (2, "saelens")
    file = api.client.get(f"{LABELS}/export", query_string={"format": "saelens"})
    assert json.loads(file.data) == json.loads(text)
    assert (
        "filename=actiscope-labels-demo-l1-res-saelens.json"
        in (file.headers["Content-Disposition"])
    )
    assert api.client.get(f"{LABELS}/export").mimetype == "text/csv"
    bad = {"content": '{"1": "a", "2": 3}'}
    error = assert_is_error(api.client.post(f"{LABELS}/import", json=bad), 400)
    assert error["details"]["problems"][0]["place"] == "labels['2']"
    for body in ({}, {"content": "x", "upload_id": "0" * 32}, {"upload_id": "../../etc/passwd"}):
        assert_is_error(api.client.post(f"{LABELS}/import", json=body), 400)
    assert_is_error(api.client.post(f"{LABELS}/import", json={"upload_id": "0" * 32}), 404)


def test_unknown_saes_and_labels_are_not_found(api):
    for path in ("labels", "labels/status", "labels/export", "labels/history", "labels/next"):
        query = "?order=random" if path.endswith("next") else ""
        for sae in ("none", "%00"):
            assert_is_error(api.client.get(f"/api/v1/saes/{sae}/{path}{query}"), 404)
    assert_is_error(api.client.get("/api/v1/labels/a%00b"), 404)
    assert_is_error(api.client.delete(f"/api/v1/saes/{SAE}/views/%00"), 404)
    assert_is_error(api.client.get(f"{LABELS}/next?store_id=../.."), 400)
    assert_is_error(api.client.post(f"{LABELS}/undo", json={"batch_id": "\0"}), 404)
    for method in ("get", "delete"):
        assert_is_error(getattr(api.client, method)("/api/v1/labels/none"), 404)
