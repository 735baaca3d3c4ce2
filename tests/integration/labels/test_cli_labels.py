"""`actiscope labels` on a data folder of its own."""

from __future__ import annotations

import json

import pytest

from services.cli.main import main

SAE = "demo-l1-res"


@pytest.fixture
def call(tmp_path, monkeypatch, capsysbinary):
    monkeypatch.setenv("ACTISCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ACTISCOPE_USER", "ada")

    def run(*arguments: str, code: int = 0) -> str:
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as end:
            main(["labels", *arguments])
        captured = capsysbinary.readouterr()
        assert (end.value.code or 0) == code, captured.err
        return captured.out.decode()

    return run


def test_a_session_of_labelling(call, tmp_path):
    item = json.loads(call("next", SAE, "--order", "random", "--json"))
    feature = str(item["feature_id"])
    label = json.loads(call("set", SAE, feature, "first", "--category", "c", "--json"))
    assert (label["author"], label["category"]) == ("ada", "c")
    again = json.loads(call("set", SAE, feature, "better", "--json"))
    assert (again["label_id"], again["text"]) == (label["label_id"], "better")
    beside = json.loads(call("set", SAE, feature, "\x1b[31mred", "--beside", "--json"))
    assert beside["label_id"] != label["label_id"]
    shown = call("show", SAE, feature)
    assert "* better  (c, human, ada)" in shown and "\x1b" not in shown
    following = json.loads(call("next", SAE, "--order", "random", "--json"))
    call("skip", SAE, str(following["feature_id"]), "--reason", "no idea")
    status = call("status", SAE)
    assert "1 of 1,536 features are labelled" in status and "skipped 1" in status
    file = tmp_path / "labels.csv"
    call("export", SAE, "-o", str(file))
    assert call("export", SAE).encode() == file.read_bytes()
    report = json.loads(call("import", str(file), "--sae", "demo-l2-res", "--json"))
    assert (report["n_added"], report["n_skipped"]) == (2, 0)
    assert "undone at 2 features" in call("undo", "demo-l2-res")
    assert json.loads(call("status", "demo-l2-res", "--json"))["n_labelled"] == 0


def test_what_is_wrong_is_one_line(call, tmp_path):
    assert json.loads(call("show", SAE, "9999", "--json", code=1))["error_code"] == "NOT_FOUND"
    call("next", SAE, code=1)
    missing = json.loads(call("import", str(tmp_path / "none"), "--json", code=1))
    assert "cannot be read" in missing["message"]
    bad = tmp_path / "bad.json"
    bad.write_text('{"1": "a", "2": 3}')
    assert "to add 1, known 0, skipped 1" in call("import", str(bad), "--sae", SAE, "--dry-run")
    call("import", str(bad), "--sae", SAE, code=1)
    assert "added 1" in call("import", str(bad), "--sae", SAE, "--skip-bad")
