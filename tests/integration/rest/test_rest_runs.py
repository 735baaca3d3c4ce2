"""Starting, listing, changing runs over REST."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.web import schemas
from services.web.state import state_of
from tests.integration.rest.conftest import BASE, Api, assert_is_error


def test_a_run_answers_complete_and_reads_back_the_same(api: Api) -> None:
    answer = api.run(seed=7)
    assert answer.status_code == 200
    schemas.RunBody.model_validate(answer.json, strict=False)
    made = answer.json
    assert made["status"] == "ok"
    assert made["preview"]["events"] == [] and made["preview"]["actions"] == []
    assert made["preview"]["activation_rows"]
    assert len(made["output"]["token_ids"]) == made["run_summary"]["output_tokens"]
    assert answer.headers["Location"] == f"{BASE}/{made['request_id']}"

    stored = api.get(made["request_id"]).json
    schemas.RunDocument.model_validate(stored)
    assert stored["output"] == made["output"]
    assert stored["prompt"] == "The cat sat"
    assert stored["run_summary"] == made["run_summary"]
    assert stored["request"]["seed"] == 7
    assert api.get(f"{made['request_id']}/summary").json == made["run_summary"]


def test_the_preview_reaches_the_last_token_of_every_sae(api: Api) -> None:
    made = api.run().json
    rows = made["preview"]["activation_rows"]
    positions = made["run_summary"]["prompt_tokens"] + made["run_summary"]["output_tokens"]
    for sae_id in made["run_summary"]["sae_ids"]:
        reached = {row["token_position"] for row in rows if row["sae_id"] == sae_id}
        assert max(reached) == positions - 1


def test_an_asynchronous_run_answers_at_once_with_its_address(api: Api) -> None:
    answer = api.run(headers={"Prefer": "respond-async"}, request_id="async-1")
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"{BASE}/async-1"
    assert answer.headers["Preference-Applied"] == "respond-async"
    schemas.RunBody.model_validate(answer.json)
    assert answer.json["output"] is None
    waited = api.run(request_id="async-1")
    assert waited.status_code == 200
    assert waited.json["request_id"] == "async-1"


def test_a_caller_with_little_patience_gets_the_address_instead(api: Api) -> None:
    with api.engine_held():
        answer = api.run(headers={"Prefer": "wait=1"}, request_id="patient")
    assert answer.status_code == 202
    assert answer.json["status"] == "queued"
    assert api.run(request_id="patient").status_code == 200


def test_the_same_id_and_body_is_the_same_run_and_another_body_a_conflict(api: Api) -> None:
    first = api.run(request_id="mine").json
    again = api.run(request_id="mine").json
    assert again == first
    assert_is_error(api.run(request_id="mine", max_tokens=7), 409)
    assert len(api.get("runs").json["items"]) == 1


def test_twenty_parallel_identical_requests_are_one_run(api: Api) -> None:
    server = api.client.application

    def send(_: int) -> int:
        with server.test_client() as client:
            return Api(client).run(request_id="once", headers={"Prefer": "respond-async"})

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert {answer.json["request_id"] for answer in answers} == {"once"}
    assert len(api.get("runs").json["items"]) == 1
    assert api.run(request_id="once").status_code == 200


@pytest.mark.parametrize("field", ["model_id", "sae_id"])
def test_an_unknown_name_is_refused_and_never_replaced(api: Api, field: str) -> None:
    error = assert_is_error(api.run(**{field: "no-such"}), 404)
    assert "no-such" in error["message"]
    assert api.get("runs").json["items"] == []


def test_a_run_that_fails_answers_its_reason_and_stays_stored(api: Api) -> None:
    answer = api.run(prompt="cat " * 2500, request_id="too-long")
    error = assert_is_error(answer, 400)
    assert error["error_code"] == "INVALID_ARGUMENT"
    assert error["details"]["request_id"] == "too-long"
    stored = api.get("too-long/summary").json
    assert stored["status"] == "error"
    assert stored["error_message"] == error["message"]


def test_pages_of_runs_are_complete_ordered_and_without_repetition(api: Api) -> None:
    made = [api.made(request_id=f"r{i}", max_tokens=1) for i in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        page = api.get("runs", limit=3, **({"cursor": cursor} if cursor else {})).json
        schemas.RunPageBody.model_validate(page)
        seen += [item["request_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


def test_filters_find_their_runs_only(api: Api) -> None:
    plain = api.made(prompt="ÉCOLE one", collect_activations=False, max_tokens=1)
    with_features = api.made(prompt="Two things", max_tokens=3)
    top = api.get(f"{with_features}/top-features", n=1).json["items"][0]

    def found(**filters: object) -> list[str]:
        return [item["request_id"] for item in api.get("runs", **filters).json["items"]]

    assert found(text="école") == [plain]
    assert found(sae_enabled="true") == [with_features]
    assert found(sae_enabled="false") == [plain]
    assert found(status="ok") == [with_features, plain]
    assert found(status="error") == []
    assert found(model_id="actiscope-demo", sae_id=top["sae_id"]) == [with_features]
    assert found(model_id="other") == []
    feature = {"sae_id": top["sae_id"], "feature_id": top["feature_id"]}
    assert found(**feature, min_activation=top["max_activation"] * 0.9) == [with_features]
    assert found(**feature, min_activation=top["max_activation"] * 1.1) == []


def test_notes_are_kept_and_a_deleted_run_is_gone(api: Api) -> None:
    made = api.made(max_tokens=1)
    changed = api.send("PATCH", made, json={"notes": "seen\n‮ twice"})
    assert changed.status_code == 200
    assert changed.json["notes"] == "seen\n‮ twice"
    assert api.get(f"{made}/summary").json["notes"] == "seen\n‮ twice"
    gone = api.send("DELETE", made)
    assert (gone.status_code, gone.get_data()) == (204, b"")
    for path in (made, f"{made}/summary", f"{made}/rows", f"{made}/events", f"{made}/code"):
        assert_is_error(api.get(path), 404)
    assert_is_error(api.send("DELETE", made), 404)


def test_rerun_makes_a_new_run_with_the_same_result(api: Api) -> None:
    first = api.run(seed=11, temperature=1.0).json
    again = api.send("POST", f"{first['request_id']}/rerun").json
    assert again["request_id"] != first["request_id"]
    assert again["output"]["token_ids"] == first["output"]["token_ids"]
    later = api.send("POST", f"{first['request_id']}/rerun", headers={"Prefer": "respond-async"})
    assert later.status_code == 202


def test_cancel_keeps_what_was_written_and_ends_the_run(api: Api) -> None:
    with api.engine_held():
        api.run(headers={"Prefer": "respond-async"}, request_id="stop-me")
        assert api.send("DELETE", "stop-me").status_code == 409
        answer = api.send("POST", "stop-me/cancel", json={})
    assert answer.status_code == 200
    assert answer.json["status"] == "cancelled"
    assert api.run(request_id="stop-me").json["status"] == "cancelled"


def test_a_full_queue_is_answered_busy_with_the_time_to_come_back(api: Api) -> None:
    limit = state_of(api.client.application).container.settings.queue_limit
    with api.engine_held():
        answers = [api.run(headers={"Prefer": "respond-async"}) for _ in range(limit + 2)]
    assert_is_error(answers[-1], 429)
    assert int(answers[-1].headers["Retry-After"]) > 0
    stored = api.get("runs", limit=200).json["items"]
    assert len(stored) == sum(answer.status_code == 202 for answer in answers)
    for item in stored:
        api.send("POST", f"{item['request_id']}/cancel")
