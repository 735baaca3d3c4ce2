"""Rows of corpora and extractions: what is kept, whose status counts, what refers to what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.extraction_records import NewExtraction
from db.job_records import Chunk, Ending, NewJob
from db.registry_records import SaeRecord
from services.corpus.store import CorpusStore
from services.database import Database, open_database
from services.errors import Conflict, InvalidArgument, NotFound
from services.extraction.requests import ExtractionQuery
from services.extraction.store import ExtractionStore
from services.jobs.ids import new_id
from services.jobs.table_queue import TableQueue
from services.registry.store import RegistryStore
from services.types import CorpusInfo, CorpusSource, ExtractionLive, JobStatus

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
CORPUS = CorpusInfo(
    corpus_id="letters",
    name="Letters \x00 and \ud800",
    source=CorpusSource.UPLOAD,
    origin="letters.jsonl",
    content_hash="a" * 64,
    text_column="text",
    metadata={"year": "int64"},
    n_documents=3,
    n_chars=30,
    n_skipped=0,
    size_bytes=1000,
    created_at=NOW,
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_database(database_url)) as opened:
        sae = SaeRecord(
            sae_id="release/l12",
            source="local",
            model_id="owner/model",
            trained_on="",
            hook_name="blocks.12.hook_resid_post",
            layer=12,
            d_in=16,
            d_sae=64,
            architecture="topk",
            format="sae_lens",
            local_path="/data/saes/release/l12",
            size_bytes=10,
            created_at=NOW,
            updated_at=NOW,
        )
        registry = RegistryStore(opened)
        registry.sync([], [sae, replace(sae, sae_id="release/l13", layer=13)])
        CorpusStore(opened).sync([CORPUS])
        yield opened


@pytest.fixture
def rows(database: Database) -> ExtractionStore:
    return ExtractionStore(database)


@pytest.fixture
def queue(database: Database) -> TableQueue:
    return TableQueue(database, "elsewhere/7/1")


def submitted(queue: TableQueue, at: datetime = NOW) -> str:
    job = NewJob(
        job_id=new_id(),
        kind="extract",
        title="Extract",
        params={},
        params_version=1,
        fingerprint="f",
        created_at=at,
    )
    return queue.submit(job).job_id


def extraction(id: str, job_id: str | None, **changes: Any) -> NewExtraction:
    made = NewExtraction(
        extraction_id=id,
        job_id=job_id,
        sae_id="release/l12",
        model_id="owner/model",
        hook_name="blocks.12.hook_resid_post",
        layer=12,
        d_sae=64,
        corpus_id="letters",
        config={"packing": {"context": None}},
        created_at=NOW,
    )
    return replace(made, **changes)


def write(database: Database, change: Any) -> None:
    with database.write() as session:
        change(session)


def test_a_corpus_is_kept_with_its_marks(database: Database) -> None:
    corpora = CorpusStore(database)
    corpora.set_deleted("letters", NOW)
    corpora.sync([replace(CORPUS, n_documents=4, created_at=NOW + timedelta(days=1))])
    row = corpora.rows()["letters"]
    assert (row.n_documents, row.created_at, row.deleted_at) == (4, NOW, NOW)
    assert row.name == "Letters ␀ and �"
    assert row.metadata_columns == {"year": "int64"}
    with pytest.raises(NotFound):
        corpora.set_deleted("none", NOW)


def test_a_corpus_that_extractions_use_is_not_forgotten(
    database: Database, rows: ExtractionStore
) -> None:
    corpora = CorpusStore(database)
    rows.ensure([extraction("ext_1", None)])
    assert corpora.usage() == {"letters": 1}
    with pytest.raises(Conflict, match=r"extractions were made of it \(1\); remove"):
        corpora.forget("letters")
    rows.forget("ext_1")
    corpora.forget("letters")
    assert corpora.rows() == {}


def test_an_extraction_stands_as_its_job_does(rows: ExtractionStore, queue: TableQueue) -> None:
    job_id = submitted(queue)
    rows.ensure([extraction("ext_1", job_id)])
    view = rows.get("ext_1")
    assert (view.status, view.source_type, view.sae_id) == ("queued", "sae", "release/l12")
    assert (view.corpus_name, view.has_store, view.phase) == ("Letters ␀ and �", False, "")
    hold, _ = queue.claim(["extract"], 30) or pytest.fail("nothing to claim")
    assert rows.get("ext_1").status is JobStatus.RUNNING
    assert rows.active("sae_id", "release/l12") == ("ext_1",)
    ending = Ending(status="failed", error_code="INTERNAL", error_message="no luck")
    queue.finish(hold, ending, Chunk())
    view = rows.get("ext_1")
    assert (view.status, view.error_message) == ("failed", "no luck")
    assert view.finished_at is not None
    assert rows.active("corpus_id", "letters") == ()


def test_what_is_complete_stays_so_when_its_job_fails(
    database: Database, rows: ExtractionStore, queue: TableQueue
) -> None:
    job_id = submitted(queue)
    both = [extraction("ext_1", job_id), extraction("ext_2", job_id, sae_id="release/l13")]
    rows.ensure(both)
    hold, _ = queue.claim(["extract"], 30) or pytest.fail("nothing to claim")
    live = ExtractionLive(n_tokens=10, nnz=4, l0=0.4, l0_counts=(6, 4), seconds=(0.5,))
    queue.keep(hold, 30, Chunk(), rows.keep("ext_2", live))
    queue.keep(hold, 30, Chunk(), rows.complete("ext_1", replace(live, l0=float("nan")), 99))
    queue.finish(hold, Ending(status="failed", error_message="disk"), Chunk())
    done, other = rows.get("ext_1"), rows.get("ext_2")
    assert (done.status, done.error_message, done.size_bytes) == ("succeeded", None, 99)
    assert (done.is_complete, done.live.l0) == (True, None)
    assert (other.status, other.error_message, other.live) == ("failed", "disk", live)
    assert other.has_store
    assert not other.is_complete
    succeeded = rows.page(ExtractionQuery(status=JobStatus.SUCCEEDED))
    assert [view.extraction_id for view in succeeded.items] == ["ext_1"]


def test_what_failed_by_itself_stays_so_until_its_job_is_worked_on_again(
    database: Database, rows: ExtractionStore, queue: TableQueue
) -> None:
    job_id = submitted(queue)
    rows.ensure([extraction("ext_1", job_id)])
    write(database, rows.fail("ext_1", Conflict("not\x00 this one")))
    view = rows.get("ext_1")
    assert (view.status, view.error_code) == ("failed", "CONFLICT")
    assert view.error_message == "not␀ this one"
    assert rows.active("model_id", "owner/model") == ()
    rows.reopen(job_id)
    view = rows.get("ext_1")
    assert (view.status, view.error_code, view.finished_at) == ("queued", None, None)


def test_how_it_ended_outlives_its_job(rows: ExtractionStore, queue: TableQueue) -> None:
    job_id = submitted(queue)
    rows.ensure([extraction("ext_1", job_id)])
    queue.cancel(job_id)
    before = rows.get("ext_1")
    assert queue.prune(datetime.now(UTC) + timedelta(days=1)) == 1
    after = rows.get("ext_1")
    assert (after.job_id, after.status) == (None, JobStatus.CANCELLED)
    assert after.finished_at == before.finished_at
    assert rows.page(ExtractionQuery(status=JobStatus.CANCELLED)).items == (after,)


def test_an_id_belongs_to_one_job(rows: ExtractionStore, queue: TableQueue) -> None:
    first, second = submitted(queue), submitted(queue)
    rows.ensure([extraction("ext_1", first)])
    rows.ensure([extraction("ext_1", first, config={"other": 1})])
    assert rows.get("ext_1").config == {"packing": {"context": None}}
    with pytest.raises(Conflict, match=first):
        rows.ensure([extraction("ext_1", second)])


def test_pages_are_newest_first_and_filtered(rows: ExtractionStore) -> None:
    made = [
        extraction(f"ext_{i}", None, created_at=NOW + timedelta(seconds=i // 2)) for i in range(5)
    ]
    made[2] = replace(made[2], sae_id="release/l13")
    rows.ensure(made)
    seen, query = [], ExtractionQuery(limit=2)
    while True:
        page = rows.page(query)
        seen += [view.extraction_id for view in page.items]
        if page.next_cursor is None:
            break
        query = ExtractionQuery(limit=2, cursor=page.next_cursor)
    assert seen == ["ext_4", "ext_3", "ext_2", "ext_1", "ext_0"]
    other = rows.page(ExtractionQuery(sae_id="release/l13")).items
    assert [view.extraction_id for view in other] == ["ext_2"]
    assert rows.page(ExtractionQuery(corpus_id="none")).items == ()
    with pytest.raises(InvalidArgument, match="cursor"):
        rows.page(ExtractionQuery(cursor="x"))
    with pytest.raises(NotFound):
        rows.get("ext\x00")


def test_an_extraction_has_exactly_one_source(rows: ExtractionStore) -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        rows.ensure([extraction("ext_1", None, sae_id=None)])
    with pytest.raises(ValueError, match="cannot be stored"):
        rows.ensure([extraction("ext_1", None, training_id="t1")])
    rows.ensure([extraction("ext_1", None, sae_id=None, training_id="t1")])
    assert rows.get("ext_1").source_type == "training"


def test_rows_go_with_their_sae(database: Database, rows: ExtractionStore) -> None:
    rows.ensure([extraction("ext_1", None)])
    write(database, rows.configure("ext_1", {"packing": {"context": 128}}))
    assert rows.get("ext_1").config == {"packing": {"context": 128}}
    RegistryStore(database).forget("saes", "release/l12")
    assert rows.ids("sae_id", "release/l12") == ()
