"""`actiscope corpus` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.cli import main
from tests.made_corpora import jsonl

ROWS = [{"text": f"t{i}", "n": i, "l": [1]} for i in range(30)]


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTISCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(*arguments: str, exits: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["corpus", *arguments])
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == exits, f"{out}\n{err}"
        return out, err

    return run


def test_a_corpus_from_the_first_look_to_its_end(shell: Any, tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl", ROWS)
    out, _ = shell("look", "a.jsonl")
    assert "jsonl" in out
    assert "text?" in out
    out, err = shell("add", "a.jsonl", "--name", "Mine \x1b[31m")
    assert out.startswith("added mine-31m-")
    assert "column l left out" in err
    corpus_id = out.split()[1]
    found = json.loads(shell("list", "--json")[0])["items"]
    assert [item["corpus_id"] for item in found] == [corpus_id, "demo"]
    out, _ = shell("list")
    assert "\x1b" not in out
    shown = json.loads(shell("show", corpus_id, "--json")[0])
    assert (shown["n_documents"], shown["statistics"]["n_chars"]) == (30, 80)
    assert "30, 0 of them empty" in shell("show", corpus_id)[0]
    assert "t29" in shell("preview", corpus_id, "--start", "29")[0]
    preview = json.loads(shell("preview", corpus_id, "--limit", "1", "--json")[0])
    assert preview["documents"][0]["metadata"] == {"n": 0}
    again = json.loads(shell("add", "a.jsonl", "--json")[0])
    assert (again["existed"], again["corpus"]["corpus_id"]) == (True, corpus_id)
    shell("remove", corpus_id)
    assert corpus_id not in shell("list")[0]
    assert "deleted" in shell("list", "--all")[0]
    shell("restore", corpus_id)
    shell("remove", corpus_id, "--hard", "--yes")
    assert corpus_id not in shell("list", "--all")[0]


def test_what_goes_wrong_is_one_line(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "x"}\n{"text": 1}\n')
    _, err = shell("add", "bad.jsonl", exits=1)
    assert "bad.jsonl, line 2: the column 'text' is a number" in err
    out, err = shell("add", "bad.jsonl", "--skip")
    assert "1 documents" in out
    assert "1 pieces were skipped" in err
    document = json.loads(shell("add", "nowhere.jsonl", "--json", exits=1)[0])
    assert document["error_code"] == "NOT_FOUND"
    assert "offline" in shell("add", "owner/name", exits=1)[1]
    assert "no corpus 'x'" in shell("show", "x", exits=1)[1]
    assert "part of Actiscope" in shell("remove", "demo", "--hard", "--yes", exits=1)[1]


def test_a_corpus_is_left_to_a_server(shell: Any, tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl", ROWS)
    job = json.loads(shell("add", "a.jsonl", "--detach", "--json")[0])
    assert (job["kind"], job["status"]) == ("add_corpus", "queued")
    items = json.loads(shell("list", "--json")[0])["items"]
    assert [item["corpus_id"] for item in items] == ["demo"]
