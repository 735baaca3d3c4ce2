"""The commands as a user types them, on a data folder of their own."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from db.schema import head
from services.cli import main
from services.cli.text import table, wants_colour
from services.settings import Settings
from tests import tiny


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


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTISCOPE_HOME", str(tmp_path / "home"))
    return Shell(capsys)


def _json(text: str) -> Any:
    return json.loads(text)


def test_a_run_prints_its_tokens_and_its_strongest_features(shell: Shell) -> None:
    out, err = shell("run", "The cat sat", "--max-tokens", "3", "--temperature", "0", "--top", "4")
    lines = out.splitlines()
    assert "cat sat" in out and "\x1b[" not in out
    head = next(i for i, line in enumerate(lines) if line.startswith("SAE"))
    assert len(lines[head + 1 : lines.index("", head)]) == 4
    assert " ok " in lines[-1]
    assert "Traceback" not in err


def test_a_run_as_json_is_the_stored_run_and_is_listed(shell: Shell) -> None:
    out, _ = shell(
        *("run", "Ünï \x1b[31m", "--json", "--max-tokens", "2", "--seed", "5"),
        *("--sae-id", "demo-l1-res", "--request-id", "mine"),
    )
    run = _json(out)
    assert run["request_id"] == "mine" and run["request"]["seed"] == 5
    assert [sae["sae_id"] for sae in run["features"]] == ["demo-l1-res"]
    listed, _ = shell("runs", "--json", "--text", "üNÏ")
    assert [item["request_id"] for item in _json(listed)["items"]] == ["mine"]
    shown, _ = shell("runs")
    assert "mine" in shown and "\x1b" not in shown
    assert _json(shell("runs", "--json", "--status", "error")[0])["items"] == []


def test_a_text_only_run_has_no_features(shell: Shell) -> None:
    out, _ = shell("run", "The cat", "--text-only", "--json", "--max-tokens", "1")
    assert _json(out)["features"] == []


@pytest.mark.parametrize(
    ("arguments", "exits", "says"),
    [
        (("run",), 2, "PROMPT"),
        (("run", "x", "--max-tokens", "many"), 2, "--max-tokens"),
        (("run", "x", "--nonsense"), 2, "--nonsense"),
        (("nonsense",), 2, "nonsense"),
        (("run", ""), 1, "prompt"),
        (("run", "x", "--max-tokens", "0"), 1, "max_tokens"),
        (("run", "x", "--model-id", "none"), 1, "none"),
        (("run", "x", "--sae-id", "none"), 1, "none"),
        (("run", "cat " * 2500), 1, "tokens"),
        (("runs", "--limit", "0"), 1, "limit"),
        (("runs", "--feature-id", "3"), 1, "sae_id"),
        (("runs", "--cursor", "x"), 1, "cursor"),
        (("db", "upgrade", "nonsense"), 1, "nonsense"),
        (("serve", "--port", "0"), 1, "port"),
        (("serve", "--host", "0.0.0.0"), 1, "ACTISCOPE_AUTH_TOKEN"),
    ],
)
def test_an_error_is_one_line_or_the_one_shape(
    shell: Shell, arguments: tuple[str, ...], exits: int, says: str
) -> None:
    out, err = shell(*arguments, exits=exits)
    assert out == ""
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and says in errors[0]
    assert "Traceback" not in err
    if arguments[0] in ("run", "runs"):
        out, _ = shell(*arguments, "--json", exits=exits)
        document = _json(out)
        assert set(document) == {"status", "error_code", "message", "details"}
        assert says in document["message"]


def test_doctor_says_what_is_set_where_and_that_all_is_well(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = "not-to-be-seen-anywhere"
    monkeypatch.setenv("ACTISCOPE_AUTH_TOKEN", secret)
    (tmp_path / ".env").write_text("ACTISCOPE_PORT=8123\n")
    out, _ = shell("doctor", "--json")
    report = _json(out)
    assert report["status"] == "ok" and all(check["ok"] for check in report["checks"])
    settings = {s["name"]: (s["value"], s["origin"]) for s in report["settings"]}
    assert settings["ACTISCOPE_AUTH_TOKEN"] == ("********", "environment")
    assert settings["ACTISCOPE_PORT"] == ("8123", ".env")
    assert settings["ACTISCOPE_HOST"] == ("127.0.0.1", "default")
    shown, _ = shell("doctor")
    assert "database" in shown and shown.rstrip().endswith("ok")
    assert secret not in out + shown


def test_doctor_says_what_is_broken_and_exits_with_one(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql+psycopg://me:s3cret@127.0.0.1:1/none"
    monkeypatch.setenv("ACTISCOPE_DATABASE_URL", url)
    out, err = shell("doctor", exits=1)
    assert "degraded" in out
    report, _ = shell("doctor", "--json", exits=1)
    checks = {check["name"]: check for check in _json(report)["checks"]}
    assert [name for name, check in checks.items() if not check["ok"]] == ["database"]
    assert "ACTISCOPE_DATABASE_URL" in checks["database"]["message"]
    assert {"model", "sae:demo-l1-res", "device", "memory", "disk"} <= set(checks)
    assert "s3cret" not in out + err + report


def _everything_below(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


def test_doctor_makes_and_upgrades_nothing(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def database() -> tuple[bool, str]:
        report = _json(shell("doctor", "--json")[0])
        found = next(check for check in report["checks"] if check["name"] == "database")
        return found["ok"], found["message"]

    assert database() == (True, "empty; its tables are made at the next start")
    assert shell("db", "current")[0].strip() == "empty"
    assert not (tmp_path / "home").exists()

    (tmp_path / "home").mkdir()
    with closing(sqlite3.connect(tmp_path / "home" / "actiscope.sqlite")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (head(),))
        connection.commit()
    before = _everything_below(tmp_path)
    assert database() == (True, f"revision {head()}, the newest")
    monkeypatch.setattr("db.schema.HEAD", "9999")
    is_ok, message = database()
    assert is_ok and "upgrades it to 9999" in message
    assert _everything_below(tmp_path) == before


def test_doctor_leaves_runs_and_the_log_of_a_database_as_they_are(
    shell: Shell, tmp_path: Path
) -> None:
    shell("run", "The cat", "--text-only", "--max-tokens", "1")
    before = _everything_below(tmp_path / "home")
    shell("doctor")
    assert _everything_below(tmp_path / "home") == before


def test_doctor_names_a_database_of_a_newer_version(shell: Shell, tmp_path: Path) -> None:
    shell("db", "upgrade")
    with closing(sqlite3.connect(tmp_path / "home" / "actiscope.sqlite")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    out, _ = shell("doctor", exits=1)
    assert "9999" in out and "a newer version wrote it" in out


def test_doctor_and_a_run_name_a_data_folder_that_cannot_be_made(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("a file")
    out, err = shell("doctor", exits=1)
    assert "ACTISCOPE_HOME" in out and "Traceback" not in err
    assert "ACTISCOPE_HOME" in shell("run", "x", exits=1)[1]


def test_doctor_says_where_the_hubs_settings_come_from(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_s3cret")
    (tmp_path / ".env").write_text("HF_HUB_OFFLINE=1\nACTISCOPE_HUB_ENDPOINT=http://mirror\n")
    out, _ = shell("doctor", "--json")
    report = _json(out)
    found = {s["name"]: (s["value"], s["origin"]) for s in report["settings"]}
    assert found["ACTISCOPE_HUB_TOKEN"] == ("********", "environment")
    assert found["ACTISCOPE_OFFLINE"] == ("True", ".env")
    assert found["ACTISCOPE_HUB_ENDPOINT"] == ("http://mirror", ".env")
    assert found["ACTISCOPE_LOCAL_ROOTS"][1] == "default"
    (hub,) = [check for check in report["checks"] if check["name"] == "hub"]
    assert hub["ok"] and "offline" in hub["message"] and "s3cret" not in out


def test_doctor_tries_a_device_that_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTISCOPE_DEVICE", "cuda:99")
    report = _json(shell("doctor", "--json", exits=1)[0])
    checks = {check["name"]: check for check in report["checks"]}
    assert not checks["device"]["ok"] and not checks["model"]["ok"]
    assert "ACTISCOPE_DEVICE=auto" in checks["device"]["message"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DEVICE", "foo"),
        ("DEVICE", "cuda:"),
        ("DEVICE", "meta"),
        ("DATABASE_URL", "foo"),
        ("DATABASE_URL", "postgres://me:s3cret@host/name"),
        ("DATABASE_URL", "postgresql+asyncpg://me:s3cret@host/name"),
        ("DATABASE_URL", "postgresql+psycopg://me:s3cret@host:port/name"),
        ("DATABASE_URL", "mysql://me:s3cret@host/name"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite://folder/file"),
    ],
)
def test_a_wrong_device_or_database_is_one_sentence(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"ACTISCOPE_{variable}", value)
    for command in (("doctor",), ("runs",), ("db", "current")):
        out, err = shell(*command, exits=1)
        assert out == ""
        assert err.startswith("error: ") and err.count("\n") == 1
        assert f"ACTISCOPE_{variable}" in err and "s3cret" not in err


@pytest.mark.parametrize(
    "url",
    ["", "sqlite:///x.sqlite", "postgresql://u@h/n", "postgresql+psycopg://u:p@h:5432/n"],
)
def test_databases_that_are_supported_are_accepted(url: str) -> None:
    assert Settings(_env_file=None, database_url=url).database_url == url


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:1"])
def test_devices_that_may_exist_are_accepted(device: str) -> None:
    assert Settings(_env_file=None, device=device).device == device


def test_a_failed_run_is_the_error_that_ended_it(shell: Shell, tmp_path: Path) -> None:
    tiny.save_model(tmp_path / "home", "tiny")
    (tmp_path / "home" / "models" / "tiny" / "tokenizer.json").write_text("{}")
    out, _ = shell("run", "x", "--model-id", "tiny", "--request-id", "mine", "--json", exits=1)
    document = _json(out)
    assert document["error_code"] == "UNSUPPORTED"
    assert document["details"]["request_id"] == "mine"


def test_doctor_names_a_wrong_setting(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTISCOPE_AUTH_TOKEN", "short")
    _, err = shell("doctor", exits=1)
    assert "16 characters" in err and "short" not in err.replace("16", "")


def test_the_schema_goes_up_and_down(shell: Shell) -> None:
    assert shell("db", "current")[0].strip() == "empty"
    newest = shell("db", "upgrade")[0].strip()
    assert shell("db", "current")[0].strip() == f"{newest} (newest)"
    shell("db", "downgrade", "base", exits=1)  # nobody said yes
    assert shell("db", "downgrade", "base", "--yes")[0].strip() == "empty"


def test_the_colours_are_for_terminals_that_want_them() -> None:
    assert not wants_colour(None)  # standard output is no terminal here
    assert not wants_colour("1")
    assert "\x1b" not in table(("A",), [("b",)])
