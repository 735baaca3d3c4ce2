"""`actiscope model` and `actiscope sae` as a user types them, on a data folder of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.cli import main
from tests import tiny
from tests.broken_files import SAFETENSORS


class Shell:
    """Runs the command line and gives what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, exits: int = 0) -> tuple[str, str]:
        """Standard output and error of `actiscope ARGUMENTS`."""
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = self._capsys.readouterr()
        assert (ended.value.code or 0) == exits, f"{out}\n{err}"
        return out, err

    def json(self, *arguments: str) -> Any:
        """What `actiscope ARGUMENTS --json` prints."""
        return json.loads(self(*arguments, "--json")[0])


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTISCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ACTISCOPE_OFFLINE", "true")
    return Shell(capsys)


def test_a_model_and_saes_from_folders_to_verdicts(shell: Shell, tmp_path: Path) -> None:
    tiny.save_model(tmp_path, "tiny")
    for seed, name in enumerate(("one", "two")):
        tiny.save_sae(tmp_path, name, tensors=tiny.sae_tensors(seed=seed))
    (tmp_path / "saes" / "two" / "cfg.json").write_text("{")
    out, _ = shell("model", "add", "./models/tiny")
    assert "llama" in out and "tiny" in out
    out, err = shell("sae", "add", "saes")
    assert "saes/one" in out and "blocks.1.hook_resid_post" in out
    verdict = shell.json("sae", "show", "saes/one")["verdict"]
    assert verdict and out.startswith(f"{verdict}: saes/one")
    for finding in shell.json("sae", "show", "saes/one")["preflight"]["findings"]:
        assert finding["code"] in out and finding["message"][:40] in out
    assert "two" in err and "measuring" in err
    listed, _ = shell("sae", "list", "--model-id", "tiny")
    assert verdict in listed and "demo" not in listed
    shell("sae", "preflight", "saes/one", exits=1 if verdict == "broken" else 0)
    shell("sae", "remove", "saes/one")
    assert shell.json("sae", "list", "--model-id", "tiny")["items"] == []
    assert shell.json("sae", "list", "--all", "--text", "one")["items"][0]["state"] == "deleted"
    shell("sae", "restore", "saes/one")
    _, err = shell("model", "remove", "tiny", "--with-files", "--yes", exits=1)
    assert "SAE saes/one is for it" in err
    shell("sae", "remove", "saes/one", "--with-files", exits=1)  # nobody said yes
    shell("sae", "remove", "saes/one", "--with-files", "--yes")
    shell("model", "remove", "tiny")
    assert [m["model_id"] for m in shell.json("model", "list")["items"]] == ["actiscope-demo"]
    shell("model", "restore", "tiny")
    shown, _ = shell("model", "show", "tiny")
    assert "chat template" in shown and str(tmp_path) in shown
    assert (tmp_path / "models" / "tiny" / "config.json").is_file()


def test_nothing_added_is_a_failure_with_the_reason(shell: Shell, tmp_path: Path) -> None:
    folder = tiny.save_sae(tmp_path)
    for name in ("web page", "no JSON", "truncated data"):
        (folder / tiny.WEIGHTS).write_bytes(SAFETENSORS[name][0])
        out, err = shell("sae", "add", str(folder), exits=1)
        assert out == "" and SAFETENSORS[name][1] in err and "Traceback" not in err
    error = json.loads(shell("sae", "add", str(folder), "--json", exits=1)[0])
    assert error["status"] == "error" and error["error_code"] == "UNSUPPORTED"
    _, err = shell("sae", "add", "./nowhere", exits=1)
    assert "nowhere" in err
    _, err = shell("model", "add", "owner/name", exits=1)
    assert "ACTISCOPE_OFFLINE" in err
    _, err = shell("sae", "add", "no-such-release", "x", exits=1)
    assert "no-such-release" in err
    released = ("gpt2-small-res-jb", "blocks.8.hook_resid_pre")
    _, err = shell("sae", "add", *released, "--revision", "v9", exits=1)
    assert "catalogue does not take `revision`" in err
    _, err = shell("sae", "show", "nothing", exits=1)
    assert "nothing" in err and "demo-l1-res" in err
    shell("sae", "add", exits=2)


def test_the_catalogue_answers_offline_and_at_once(shell: Shell, tmp_path: Path) -> None:
    out, _ = shell("sae", "search", "gemma-2-2b layer 12 16k", "--limit", "3")
    first = out.splitlines()[1]
    assert "gemma-scope-2b-pt-res-canonical" in first and "layer_12/width_16k/canonical" in first
    assert "https://neuronpedia.org/gemma-2-2b/12-" in first
    page = shell.json("sae", "search", "gemma-2-2b", "layer", "12", "16k", "--limit", "3")
    assert len(page["items"]) == 3 < page["total"]
    out, err = shell("sae", "search", "zzzzqqqq")
    assert out == "" and "nothing found" in err
    assert not (tmp_path / "home").exists()


def test_searching_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from services.cli.main import cli; "
        "cli.main(['sae', 'search', 'gemma'], standalone_mode=False); "
        "heavy = {'torch', 'transformers', 'sae_lens', 'sqlalchemy', 'flask', 'dash'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)
