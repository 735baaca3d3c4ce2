"""Adding a corpus, killed, cancelled or without room: nothing half there, and it succeeds later."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from services.container import Container
from services.corpus.requests import AddCorpus, CorpusQuery
from services.errors import Unavailable
from services.settings import Settings
from services.types import JobStatus
from tests.made_corpora import jsonl
from tests.servers import PROJECT

N = 12_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rng = random.Random(0)
    rows = ({"text": rng.randbytes(150).hex(), "n": i} for i in range(N))
    return jsonl(tmp_path / "many.jsonl", list(rows))


def start(home: Path, source: Path, *more: str) -> subprocess.Popen[str]:
    mine = os.environ  # noqa: TID251
    return subprocess.Popen(
        [*more, sys.executable, "-m", "services.cli", "corpus", "add", str(source), "--json"],
        cwd=PROJECT, env=dict(mine) | {"ACTISCOPE_HOME": str(home)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def staged(home: Path, pattern: str) -> list[Path]:
    return list((home / "corpora").glob(f".adding-*/{pattern}"))


def visible(home: Path) -> list[str]:
    return [p.name for p in (home / "corpora").iterdir() if not p.name.startswith(".")]


@pytest.mark.parametrize(
    "stage", [pytest.param("gathered-*", marks=pytest.mark.thorough), "documents-*"]
)
def test_a_killed_import_is_not_there_and_the_job_goes_on(
    tmp_path: Path, source: Path, stage: str
) -> None:
    home = tmp_path / "home"
    process = start(home, source)
    deadline = time.monotonic() + 90
    while not staged(home, stage):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert visible(home) == []
    container = Container(Settings(home=home))
    try:
        (job,) = container.jobs.list(_all_jobs()).items
        container.jobs.work()
        ended = container.jobs.wait(job.job_id, 120)
        assert ended.status is JobStatus.SUCCEEDED, ended.error_message
        assert (ended.crashes, (ended.result or {})["n_documents"]) == (1, N)
        (corpus_id,) = visible(home)
        assert corpus_id == (ended.result or {})["corpus_id"]
        container.corpora.open(corpus_id).verify()
        assert not staged(home, "*")
        assert not list((home / "uploads").iterdir())
    finally:
        container.close()


def _all_jobs() -> Any:
    from services.jobs.requests import JobQuery

    return JobQuery()


def test_killed_between_the_place_and_the_answer(tmp_path: Path, source: Path) -> None:
    """The corpus is there and its job does not know: the next attempt finds it."""
    home = tmp_path / "home"
    mine = home / "mine"
    mine.mkdir(parents=True)
    path = source.rename(mine / "many.jsonl")
    container = Container(Settings(home=home))
    try:
        first = container.corpora.add(AddCorpus(path=str(path)))
        placed = container.corpora._tools.placed

        def die(_: str) -> None:
            raise Unavailable("the process died")

        object.__setattr__(container.corpora._tools, "placed", die)
        container.jobs.work()
        failed = container.jobs.wait(first.job_id, 120)
        assert failed.status is JobStatus.FAILED
        object.__setattr__(container.corpora._tools, "placed", placed)
        container.jobs.retry(first.job_id)
        ended = container.jobs.wait(first.job_id, 120)
        assert (ended.result or {})["existed"] is True
        assert len(visible(home)) == 1
    finally:
        container.close()


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path, source: Path) -> None:
    home = tmp_path / "home"
    limited = "import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000)); "
    limited += "sys.argv = sys.argv[1:]; runpy.run_module('services.cli', run_name='__main__')"
    mine = os.environ  # noqa: TID251
    done = subprocess.run(
        [sys.executable, "-c", limited, "actiscope", "corpus", "add", str(source), "--json"],
        cwd=PROJECT, env=dict(mine) | {"ACTISCOPE_HOME": str(home)}, text=True,
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert json.loads(done.stdout)["error_code"] == "RESOURCE_EXHAUSTED", done
    assert visible(home) == []
    assert not staged(home, "*")
    process = start(home, source)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["n_documents"] == N


def test_a_cancelled_import_leaves_nothing(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    mine = home / "mine"
    mine.mkdir(parents=True)
    path = source.rename(mine / "many.jsonl")
    container = Container(Settings(home=home))
    try:
        job = container.corpora.add(AddCorpus(path=str(path)))
        container.jobs.work()
        while not staged(home, "gathered-*"):
            time.sleep(0.005)
        asked_at = time.monotonic()
        container.jobs.cancel(job.job_id)
        ended = container.jobs.wait(job.job_id, 60)
        assert ended.status is JobStatus.CANCELLED
        assert time.monotonic() - asked_at < 10
        assert [i.corpus_id for i in container.corpora.list(CorpusQuery())] == ["demo"]
        assert not staged(home, "*")
        container.jobs.retry(job.job_id)
        assert container.jobs.wait(job.job_id, 120).status is JobStatus.SUCCEEDED
    finally:
        container.close()


def test_two_at_once_make_one(tmp_path: Path, source: Path) -> None:
    home = tmp_path / "home"
    Container(Settings(home=home)).close()  # makes the database
    both = [start(home, source) for _ in range(2)]
    results = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert {result["corpus_id"] for result in results} == set(visible(home))
    assert len(visible(home)) == 1
