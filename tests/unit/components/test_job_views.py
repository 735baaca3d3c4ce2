"""Jobs, corpora and windows of tokens as components."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from dash.development.base_component import Component

from components.corpora import document_list, frequent_values, value_text
from components.corpus_figures import length_histogram
from components.job_details import log_lines, outcome
from components.jobs import amount_text, job_line, job_progress
from components.token_windows import window_of
from services.cli.jobs import progress_text
from services.types import (
    CorpusDocument,
    CorpusStatistics,
    JobLogLine,
    JobPhase,
    JobStatus,
    JobView,
    PackedWindow,
)
from tests.unit.components.made import HOSTILE
from tests.unit.components.made_registry import WHEN

RUNNING = JobView(
    job_id="01a1fe28-d12c-7191-8839-f0cf71baa7f5", kind="extract", title="Extract",
    status=JobStatus.RUNNING, params={"corpus_id": "demo"}, priority=0, request_key=None,
    parent_id=None, attempt=1, crashes=0, max_attempts=3, phase="extracting", done=512,
    total=4096, unit="tokens", message="document 7", per_s=891.0, eta_s=4.02,
    phases=(
        JobPhase("checking", 1, 1, "files", 0.2), JobPhase("extracting", 512, 4096, "tokens", 3.0),
    ),
    result=None, is_resumable=True, is_cancelling=False, owner="here", error_code=None,
    error_message=None, created_at=WHEN, updated_at=WHEN, started_at=WHEN, finished_at=None,
)  # fmt: skip


def said(component: Any) -> str:
    """Everything in it, as it is sent."""
    return json.dumps(component, default=lambda one: one.to_plotly_json(), ensure_ascii=False)


def ended(status: JobStatus, **values: Any) -> JobView:
    finished = WHEN + timedelta(seconds=90)
    return replace(
        RUNNING, status=status, per_s=None, eta_s=None, finished_at=finished, **values
    )  # fmt: skip


def test_a_running_job_says_phase_amount_rate_and_time_left() -> None:
    text = said(job_progress(RUNNING))
    for part in ("Running", "Extracting", "512 of 4,096 tokens", "891 tokens/s", "4 s left",
                 "1 file", "200 ms", "document 7"):  # fmt: skip
        assert part in text
    assert '"value": 12.5' in text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"is_cancelling": True}, "Stopping"),
        ({"status": JobStatus.QUEUED, "per_s": None, "eta_s": None}, "Goes on from what is kept"),
        ({"status": JobStatus.QUEUED, "is_resumable": False}, "Waits for its turn"),
    ],
)
def test_what_a_job_waits_for_is_said(values: dict[str, Any], words: str) -> None:
    assert words in said(job_progress(replace(RUNNING, **values)))


@pytest.mark.parametrize(
    ("kept", "what"), [(True, "goes on from what is kept"), (False, "begins again")]
)
def test_a_failed_job_says_why_and_what_a_retry_does(kept: bool, what: str) -> None:
    job = ended(
        JobStatus.FAILED, error_code="UNAVAILABLE", error_message="the disk is away",
        is_resumable=kept,
    )  # fmt: skip
    text = said(job_progress(job))
    for part in ("Failed", "the disk is away", "UNAVAILABLE", f"A retry {what}."):
        assert part in text
    assert "the disk is away" in said(job_line(job))


def test_nothing_is_left_to_wait_for_once_it_has_ended() -> None:
    for status in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED):
        text = said(job_progress(ended(status)))
        assert " s left" not in text
        assert "tokens/s" not in text


@pytest.mark.parametrize(
    ("done", "total", "unit", "text"),
    [
        (0, 1, "stores", "0 of 1 store"),
        (1, 1, "corpora", "1 corpus"),
        (1, 2, "documents", "1 of 2 documents"),
        (1, None, "tokens", "1 token"),
        (2, 2, "stores", "2 stores"),
        (1, 1, "", "1"),
        (1, 1, "bytes", "1 bytes"),
    ],
)
def test_one_of_something_is_called_so(done: int, total: int | None, unit: str, text: str) -> None:
    job = replace(RUNNING, done=done, total=total, unit=unit)
    assert amount_text(job) == text


def test_the_command_line_calls_one_of_something_so() -> None:
    one = replace(RUNNING, phase="merging", done=0, total=1, unit="stores", per_s=None, eta_s=None)
    assert progress_text(one) == "merging  0 of 1 store"
    assert progress_text(replace(one, total=3)) == "merging  0 of 3 stores"


def test_a_job_leads_to_what_it_works_on_and_has_made() -> None:
    assert f"/extractions?job={RUNNING.job_id}" in said(outcome(RUNNING))
    assert "/corpora?id=demo" in said(outcome(RUNNING))
    result = {"corpus_id": "ships", "existed": False, "n_documents": 1, "n_skipped": 2}
    added = ended(JobStatus.SUCCEEDED, kind="add_corpus", params={}, result=result)
    assert "1 document, 2 lines skipped." in said(outcome(added))
    assert "/corpora?id=ships" in said(outcome(added))
    assert "here already" in said(outcome(replace(added, result=result | {"existed": True})))
    odd = {"corpus_id": 5, "n_documents": "many", "n_skipped": None}
    assert outcome(replace(added, result=odd)) is None


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_ever_text(text: str) -> None:
    job = ended(JobStatus.FAILED, title=text, message=text, error_message=text, error_code="X")
    line = JobLogLine(1, WHEN, 1, "warning", text)
    one = CorpusDocument(0, text, text, {text: text})
    for made in (job_progress(job), log_lines([line]), document_list([one], 100)):
        assert isinstance(made, Component)
        assert "dangerously" not in said(made)


def test_a_long_document_says_that_it_is_cut() -> None:
    text = said(document_list([CorpusDocument(3, "a", "x" * 50, {"n": 0.1 + 0.2})], 50))
    assert "The first 50 characters." in text
    assert '"0.3"' in text
    assert "This document is empty." in said(document_list([CorpusDocument(0, "a", "", {})], 50))


def test_values_of_metadata_are_short() -> None:
    assert [value_text(v) for v in (None, True, 1.0 / 3, 5)] == ["–", "true", "0.333333", "5"]
    many = [(f"v{i}", 20 - i) for i in range(12)]
    assert "4 more" in said(frequent_values("town", many, 100))
    assert "of its own" in said(frequent_values("town", [("a", 1), ("b", 1)], 2))
    assert "Too many" in said(frequent_values("town", [], 2))


def test_the_histogram_has_round_ticks_on_a_logarithmic_axis() -> None:
    stats = CorpusStatistics(
        n_documents=3, n_chars=1110, n_empty=0, shortest=10, median=100, longest=1000, mean=370,
        length_edges=(10, 100, 1000), length_counts=(1, 2), metadata={}, skipped=(),
    )  # fmt: skip
    figure = length_histogram(stats)
    assert figure is not None
    assert list(figure.layout.xaxis.ticktext) == ["10", "20", "50", "100", "200", "500", "1,000"]
    assert list(figure.data[0].x) == [1.5, 2.5]
    assert length_histogram(replace(stats, length_edges=(), length_counts=())) is None
    narrow = length_histogram(replace(stats, length_edges=(21, 22, 23), length_counts=(1, 2)))
    assert narrow is not None
    assert list(narrow.layout.xaxis.ticktext) == ["21", "23"]


def test_a_window_tells_special_and_context_apart() -> None:
    window = PackedWindow(
        2, ("<bos>", "a", "b"), (0, 5, 6), (True, False, False), (False, False, True)
    )
    made = window_of(window)
    assert made["kinds"] == [3, 2, 0]
    assert made["title"] == "document 3"
    assert made["note"] == "3 tokens, 1 kept"
