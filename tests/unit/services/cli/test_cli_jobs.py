"""`actiscope jobs` as a user types it; a command works on no job itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from db.job_records import Chunk, Ending, LogLine, ProgressRecord
from services.cli import main
from services.database import open_database
from services.jobs.table_queue import TableQueue
from tests.made_jobs import new_job


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTISCOPE_HOME", str(tmp_path / "home"))

    def run(*arguments: str, exits: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == exits, f"{out}\n{err}"
        return out, err

    return run


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[TableQueue]:
    with closing(open_database(f"sqlite:///{tmp_path / 'home' / 'actiscope.sqlite'}")) as database:
        yield TableQueue(database, "elsewhere/1/1")


def test_jobs_are_listed_shown_cancelled_and_retried(shell: Any, queue: TableQueue) -> None:
    jobs = [queue.submit(new_job(title=f"Count\x1b[31m {i}")).job_id for i in range(3)]
    out, err = shell("jobs", "list", "--limit", "2")
    assert jobs[2] in out and jobs[1] in out and jobs[0] not in out and "\x1b" not in out
    cursor = err.split("--cursor '")[1].rstrip().rstrip("'")
    rest = json.loads(shell("jobs", "list", "--json", "--cursor", cursor)[0])
    assert [job["job_id"] for job in rest["items"]] == [jobs[0]]
    assert shell("jobs", "cancel", jobs[0])[0].split() == [jobs[0], "cancelled"]
    assert json.loads(shell("jobs", "retry", jobs[0], "--json")[0])["status"] == "queued"
    listed = json.loads(shell("jobs", "list", "--json", "--status", "queued")[0])
    assert len(listed["items"]) == 3


def test_a_job_is_shown_with_progress_reason_and_log(shell: Any, queue: TableQueue) -> None:
    queue.submit(new_job())
    hold, _ = queue.claim(("count",), 60) or pytest.fail("nothing to claim")
    progress = ProgressRecord(
        phase="counting", progress_done=1200, progress_total=5000, progress_unit="numbers",
        progress_per_s=100.0,
    )  # fmt: skip
    queue.keep(hold, 60, Chunk(progress=progress, log=[LogLine("odd\x1b[2J", "warning")]))
    out, _ = shell("jobs", "show", hold.job_id)
    assert "counting  1,200 of 5,000 numbers  100.0/s  38 s to go" in out
    assert "warning" in out and "\x1b" not in out
    assert shell("jobs", "cancel", hold.job_id)[0].split()[1] == "cancelling"
    failed = Ending(status="failed", error_code="NOT_FOUND", error_message="no such corpus")
    queue.finish(hold, failed, Chunk(progress=progress))
    assert "NOT_FOUND: no such corpus" in shell("jobs", "show", hold.job_id)[0]
    shown = json.loads(shell("jobs", "show", hold.job_id, "--json")[0])
    assert shown["log"][-1]["message"] == "no such corpus"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "nothing"), "no job 'nothing'"),
        (("cancel", "nothing"), "no job"),
        (("retry", "nothing"), "no job"),
        (("list", "--limit", "0"), "limit"),
        (("list", "--cursor", "x"), "cursor"),
        (("list", "--kind", "No Kind"), "kind"),
    ],
)
def test_an_error_is_one_line_or_the_one_shape(
    shell: Any, arguments: tuple[str, ...], says: str
) -> None:
    out, err = shell("jobs", *arguments, exits=1)
    assert out == "" and says in err and err.startswith("error: ")
    out, _ = shell("jobs", *arguments, "--json", exits=1)
    assert says in json.loads(out)["message"]
