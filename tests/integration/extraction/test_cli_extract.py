"""`actiscope extract` and `actiscope extractions` on a data folder of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.cli.main import main
from tests.integration.extraction.conftest import SAE, SECOND, furnish


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    home = tmp_path / "home"
    furnish(home)
    monkeypatch.setenv("ACTISCOPE_HOME", str(home))
    small = next((home / "corpora").glob("small*")).name

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([a.replace("SMALL", small) for a in arguments])
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return run


def test_an_extraction_from_start_to_removal(call: Any) -> None:
    code, out, err = call("extract", "--sae", SAE, "--sae", SECOND, "--corpus", "SMALL")
    assert code == 0, err
    assert out.count("status      succeeded") == 2
    assert "tokens/s" in out
    assert "dead" in out
    assert "next: actiscope store show" in err
    _, out, _ = call("extractions", "list", "--json")
    items = json.loads(out)["items"]
    assert {item["sae_id"] for item in items} == {SAE, SECOND}
    first = items[0]["extraction_id"]
    _, out, _ = call("extractions", "show", first)
    assert f"extraction  {first}" in out
    assert "of 20 documents" in out
    code, _, err = call("extractions", "retry", first)
    assert (code, "is complete" in err) == (1, True)
    assert call("extractions", "remove", first, "--yes")[:2] == (0, f"{first} removed\n")
    assert call("extractions", "show", first)[0] == 1


def test_what_is_detached_waits_and_is_cancelled(call: Any) -> None:
    code, out, _ = call("extract", "--sae", SAE, "--corpus", "SMALL", "--detach", "--json")
    item = json.loads(out)["items"][0]
    assert (code, item["status"]) == (0, "queued")
    _, out, _ = call("extractions", "cancel", item["extraction_id"])
    assert out == f"{item['extraction_id']} cancelled\n"
    code, out, err = call("extractions", "retry", item["extraction_id"], "--json")
    assert (code, json.loads(out)["status"]) == (0, "succeeded"), err


def test_an_estimate_starts_nothing_and_errors_are_one_line(call: Any) -> None:
    code, out, _ = call("extract", "--sae", SAE, "--corpus", "SMALL", "--estimate")
    assert code == 0
    assert "of 20 documents" in out
    code, _, err = call("extract", "--sae", "none", "--corpus", "SMALL")
    assert (code, err.count("\n")) == (1, 1)
    assert "no SAE 'none'" in err
    _, out, _ = call("extract", "--sae", SAE, "--corpus", "none", "--json")
    assert json.loads(out)["error_code"] == "NOT_FOUND"
    assert call("extractions", "list", "--json")[1].strip() == '{"items": [], "next_cursor": null}'
