"""Corpora over both databases: added by jobs, the same content once, removed and restored."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.container import Container
from services.corpus.requests import AddCorpus, CorpusQuery, PreviewQuery, SourceRequest
from services.demo import ARTEFACTS
from services.errors import ActiscopeError, Conflict, InvalidArgument, NotFound, Unavailable
from services.jobs.requests import StartJob
from services.settings import Settings
from services.types import CorpusSource, JobStatus, JobView
from tests.made_corpora import jsonl

ROWS = [{"text": f"t{i}", "n": i} for i in range(20)]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Whatever the environment says: what is refused offline is tested by itself."""
    return settings.model_copy(update={"offline": False})


@pytest.fixture
def folder(settings: Settings) -> Path:
    """A folder that pages and REST may read."""
    made = settings.home / "mine"
    made.mkdir(parents=True)
    return made


Add = Callable[..., JobView]


@pytest.fixture
def add(container: Container) -> Add:
    """Adds a corpus and waits for its job."""
    container.jobs.work()

    def run(**asked: Any) -> JobView:
        job = container.corpora.add(AddCorpus(**asked))
        return container.jobs.wait(job.job_id, 60)

    return run


def ids(container: Container, *, include_deleted: bool = False) -> list[str]:
    found = container.corpora.list(CorpusQuery(include_deleted=include_deleted))
    return [info.corpus_id for info in found if info.source is not CorpusSource.DEMO]


def test_added_listed_read_and_found_again(container: Container, folder: Path, add: Add) -> None:
    job = add(path=str(jsonl(folder / "a.jsonl", ROWS)), name="My Corpus")
    assert job.status is JobStatus.SUCCEEDED, job.error_message
    assert job.result is not None
    corpus_id = job.result["corpus_id"]
    assert corpus_id.startswith("my-corpus-")
    assert job.result == {
        "corpus_id": corpus_id, "existed": False, "n_documents": 20, "n_skipped": 0,
        "left_out": {},
    }  # fmt: skip
    assert [phase.name for phase in job.phases] == ["reading", "writing"]
    assert all(phase.done == phase.total for phase in job.phases)
    info = container.corpora.get(corpus_id)
    assert (info.name, info.n_documents, info.source) == ("My Corpus", 20, CorpusSource.FOLDER)
    assert ids(container) == [corpus_id]
    shown = container.corpora.preview(corpus_id, PreviewQuery(start=18, limit=5, chars=2))
    assert [d.text for d in shown.documents] == ["t1", "t1"]
    assert container.corpora.statistics(corpus_id).n_documents == 20
    container.corpora.open(corpus_id).verify()
    again = add(path=str(jsonl(folder / "b.jsonl.gz", ROWS)), name="Other")
    assert again.result is not None
    assert again.result["existed"] is False  # its documents have other names
    rows = [row | {"name": f"a.jsonl:{i}"} for i, row in enumerate(ROWS, 1)]
    same = add(path=str(jsonl(folder / "c.jsonl", rows)), name="Third")
    assert same.result is not None
    assert (same.result["corpus_id"], same.result["existed"]) == (corpus_id, True)
    assert len(ids(container)) == 2


def test_what_is_refused_is_said_by_the_job(container: Container, folder: Path, add: Add) -> None:
    path = jsonl(folder / "a.jsonl", [ROWS[0], {"text": None}])
    job = add(path=str(path))
    assert (job.status, job.error_code) == (JobStatus.FAILED, "INVALID_ARGUMENT")
    assert "a.jsonl, line 2" in (job.error_message or "")
    assert ids(container) == []
    home = container.settings.home / "corpora"
    assert not list(home.iterdir())
    skipped = add(path=str(path), on_error="skip")
    assert skipped.result is not None
    assert skipped.result["n_skipped"] == 1
    (line,) = container.corpora.statistics(skipped.result["corpus_id"]).skipped
    assert (line.line, line.file) == (2, "a.jsonl")


def test_deleted_restored_added_again_and_forgotten(
    container: Container, folder: Path, add: Add
) -> None:
    path = str(jsonl(folder / "a.jsonl", ROWS))
    corpus_id = (add(path=path).result or {})["corpus_id"]
    container.corpora.remove(corpus_id)
    assert ids(container) == []
    assert ids(container, include_deleted=True) == [corpus_id]
    assert container.corpora.get(corpus_id).deleted_at is not None
    assert container.corpora.restore(corpus_id).deleted_at is None
    container.corpora.remove(corpus_id)
    again = add(path=path)
    assert (again.result or {})["existed"] is True
    assert ids(container) == [corpus_id]
    container.corpora.remove(corpus_id, hard=True)
    assert ids(container, include_deleted=True) == []
    assert not list((container.settings.home / "corpora").iterdir())
    with pytest.raises(NotFound):
        container.corpora.remove(corpus_id)


def test_the_demo_corpus_is_there_and_its_files_stay(container: Container) -> None:
    demo = container.corpora.get("demo")
    assert demo.source is CorpusSource.DEMO
    with pytest.raises(Conflict, match="part of Actiscope"):
        container.corpora.remove("demo", hard=True)
    container.corpora.remove("demo")
    found = container.corpora.list(CorpusQuery())
    assert not [info for info in found if info.corpus_id == "demo"]
    assert (ARTEFACTS / "corpora" / "demo" / "corpus.json").exists()


def test_uploads_are_looked_at_added_and_then_gone(container: Container, add: Add) -> None:
    content = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    stream = (container.settings.home / "x").open("w+b")
    with stream:
        stream.write(content)
        stream.seek(0)
        upload_id = container.corpora.upload(stream, "../../my data.jsonl", len(content))
    preview = container.corpora.look(SourceRequest(upload_id=upload_id))
    assert (preview.file, preview.suggested_text) == ("my data.jsonl", "text")
    job = add(upload_id=upload_id)
    assert job.status is JobStatus.SUCCEEDED
    assert container.corpora.get((job.result or {})["corpus_id"]).source is CorpusSource.UPLOAD
    with pytest.raises(NotFound, match="send the file again"):
        container.corpora.look(SourceRequest(upload_id=upload_id))


def test_only_open_folders_are_read_even_by_a_job(
    container: Container, folder: Path, tmp_path: Path, add: Add
) -> None:
    outside = jsonl(tmp_path / "outside.jsonl", ROWS)
    (folder / "link.jsonl").symlink_to(outside)
    many = folder / "many"
    many.mkdir()
    (many / "link.jsonl").symlink_to(outside)
    for path in (outside, tmp_path, folder / "link.jsonl", many, Path("relative.jsonl")):
        for ask in (SourceRequest, AddCorpus):
            call: Any = container.corpora.look if ask is SourceRequest else container.corpora.add
            with pytest.raises(InvalidArgument, match=r"outside|relative"):
                call(ask(path=str(path)))
    params = {"request": {"path": str(outside)}}
    job = container.jobs.start(StartJob(kind="add_corpus", params=params))
    ended = container.jobs.wait(job.job_id, 60)
    assert (ended.status, ended.error_code) == (JobStatus.FAILED, "INVALID_ARGUMENT")


def test_the_command_line_adds_any_folder_by_any_worker(settings: Settings, tmp_path: Path) -> None:
    outside = jsonl(tmp_path / "outside.jsonl", ROWS)
    mine = Container(settings, any_folder=True)
    server = Container(settings)
    try:
        job = mine.corpora.add(AddCorpus(path=str(outside)))
        server.jobs.work()
        ended = server.jobs.wait(job.job_id, 60)
        assert ended.status is JobStatus.SUCCEEDED, ended.error_message
        info = server.corpora.get((ended.result or {})["corpus_id"])
        assert (info.source, info.name) == (CorpusSource.FOLDER, "outside")
        assert outside.exists()
        assert not list((settings.home / "uploads").iterdir())
    finally:
        server.close()
        mine.close()


def test_what_was_left_behind_is_swept(container: Container, folder: Path, add: Add) -> None:
    uploads, corpora = container.settings.home / "uploads", container.settings.home / "corpora"
    old = time.time() - 25 * 3600
    for place in (uploads / ("a" * 32), uploads / ".receiving-b", corpora / ".adding-c-1"):
        place.mkdir(parents=True)
        os.utime(place, (old, old))
    young = corpora / ".adding-d-1"
    young.mkdir()
    add(path=str(jsonl(folder / "a.jsonl", ROWS)))
    container.corpora.upload((folder / "a.jsonl").open("rb"), "a.jsonl")
    assert len(list(uploads.iterdir())) == 1
    assert [p for p in corpora.iterdir() if p.name.startswith(".")] == [young]


def test_datasets_of_the_hub_are_refused_offline_and_by_odd_names(settings: Settings) -> None:
    offline = settings.model_copy(update={"offline": True})
    container = Container(offline)
    asked = {"repo_id": "owner/name"}
    try:
        for call, kind in (
            (container.corpora.add, AddCorpus),
            (container.corpora.look, SourceRequest),
        ):
            with pytest.raises(Unavailable, match="offline"):
                call(kind(dataset=asked))  # type: ignore[operator]
    finally:
        container.close()


def test_no_name_of_a_dataset_means_a_folder_of_this_machine(
    container: Container, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    jsonl(folder / "a.jsonl", ROWS)
    monkeypatch.chdir(folder)
    for repo_id in ("..", "json", "csv", "a--b", "text"):
        with pytest.raises(ActiscopeError) as refused:
            container.corpora.add(AddCorpus.parse({"dataset": {"repo_id": repo_id}}))
        assert "names no repository" in refused.value.message
