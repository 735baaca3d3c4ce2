"""Runs go first: they end long before an extraction that began before them, and neither changes
the other's numbers. And extractions outlive their process.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.container import Container
from services.corpus.requests import AddCorpus, Packing
from services.extraction.requests import StartExtraction
from services.types import ExtractionView, JobStatus
from tests.integration.extraction.conftest import SAE, SECOND, corpus_id

RUN = {
    "model_id": "tiny",
    "sae_ids": [SAE, SECOND],
    "prompt": "the cat sat on",
    "max_tokens": 8,
    "temperature": 0.0,
}

ON_ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the database: hundreds of batches take long."""


def begun(container: Container) -> ExtractionView:
    request = StartExtraction(
        sae_ids=(SAE,),
        corpus_id=corpus_id(container, "large"),
        packing=Packing(context=32),
        batch_tokens=32,  # hundreds of batches, which take long
    )
    return container.extractions.start(request)[0]


def digests(container: Container, extraction_id: str) -> dict[str, str]:
    """Everything that follows from the tokens."""
    folder = container.settings.home / "stores" / extraction_id
    files = [path for path in folder.rglob("*") if path.is_file()]
    data = [path for path in files if path.suffix in (".parquet", ".bin", ".arrow", ".u32")]
    assert data
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in data
    }


def until(condition: Any, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_under_way(view: ExtractionView) -> bool:
    return view.phase == "extracting" and view.done > 0


def run(client: FlaskClient) -> Any:
    """What a run wrote, and every feature that it saw."""
    base = "/api/v1/playground/activations"
    answer = client.post(f"{base}/run", json=RUN)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    address = f"{base}/{answer.json['request_id']}/rows"
    rows = client.get(address, query_string={"limit": 5000}).json["rows"]
    assert rows
    return answer.json["output"], rows


@ON_ONE
def test_runs_come_first_and_change_nothing(furnished: Container, client: FlaskClient) -> None:
    alone = run(client)
    undisturbed = begun(furnished)
    furnished.jobs.work()
    assert furnished.jobs.wait(undisturbed.job_id or "", 240).status is JobStatus.SUCCEEDED
    disturbed = begun(furnished)
    until(lambda: furnished.extractions.get(disturbed.extraction_id).phase == "extracting")
    beside = [run(client) for _ in range(3)]
    assert furnished.extractions.get(disturbed.extraction_id).status is JobStatus.RUNNING
    assert furnished.jobs.wait(disturbed.job_id or "", 240).status is JobStatus.SUCCEEDED
    assert beside == [alone] * 3
    assert digests(furnished, disturbed.extraction_id) == digests(
        furnished, undisturbed.extraction_id
    )


def test_a_server_that_stops_hands_it_to_the_next_one(settings: Any, furnished: Container) -> None:
    halved = begun(furnished)
    furnished.jobs.work()
    until(lambda: is_under_way(furnished.extractions.get(halved.extraction_id)))
    furnished.close()
    next_one = Container(settings)
    try:
        assert next_one.extractions.get(halved.extraction_id).status is JobStatus.QUEUED
        next_one.jobs.work()
        job = next_one.jobs.wait(halved.job_id or "", 240)
        assert job.status is JobStatus.SUCCEEDED
        assert (job.attempt, job.crashes) == (2, 0)
        whole = begun(next_one)
        assert next_one.jobs.wait(whole.job_id or "", 240).status is JobStatus.SUCCEEDED
        assert digests(next_one, halved.extraction_id) == digests(next_one, whole.extraction_id)
    finally:
        next_one.close()


@ON_ONE
def test_a_command_and_a_server_never_both_work_on_it(settings: Any, furnished: Container) -> None:
    view = begun(furnished)
    command = Container(settings)
    try:
        furnished.jobs.work()
        command.jobs.work_on(view.job_id or "")
        job = command.jobs.wait(view.job_id or "", 240)
    finally:
        command.close()
    assert (job.status, job.attempt) == (JobStatus.SUCCEEDED, 1)


@ON_ONE
def test_other_kinds_do_not_wait_for_an_extraction(furnished: Container) -> None:
    view = begun(furnished)
    source = furnished.settings.home / "other.txt"
    source.write_text("the dog ran\n")
    furnished.jobs.work()
    until(lambda: furnished.extractions.get(view.extraction_id).status is JobStatus.RUNNING)
    adding = furnished.corpora.add(AddCorpus(path=str(source)))
    assert furnished.jobs.wait(adding.job_id, 60).status is JobStatus.SUCCEEDED
    assert furnished.extractions.get(view.extraction_id).status is JobStatus.RUNNING


@pytest.mark.parametrize("kind", ["saes", "models"])
def test_what_an_extraction_uses_is_named(furnished: Container, kind: Any) -> None:
    view = begun(furnished)
    id = SAE if kind == "saes" else "tiny"
    assert f"extraction {view.extraction_id} is under way" in furnished.registry.dependents(
        kind, id
    )
    furnished.extractions.cancel(view.extraction_id)
    made = f"extraction {view.extraction_id} was made with it"
    assert made in furnished.registry.dependents(kind, id)
