"""`actiscope sae add` from a hub, killed or interrupted: nothing half there, and it resumes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tiny
from tests.hub_stub import HubStub
from tests.servers import PROJECT

REPO = "someone/saes"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubStub]:
    folder = tiny.save_sae(tmp_path / "made", "a")
    with HubStub(tmp_path / "hub") as stub:
        stub.put(REPO, {f"a/{file.name}": file.read_bytes() for file in folder.iterdir()})
        yield stub


def start(hub: HubStub, home: Path) -> subprocess.Popen[str]:
    mine = os.environ  # noqa: TID251
    own = {"ACTISCOPE_HOME": str(home), "ACTISCOPE_HUB_ENDPOINT": hub.url}
    own |= {"ACTISCOPE_OFFLINE": "false"}
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli", "sae", "add", REPO, "--no-preflight", "--json"],
        cwd=PROJECT, env=dict(mine) | own, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for_bytes(home: Path, process: subprocess.Popen[str], at_least: int = 20_000) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        there = (home / "downloads").rglob("*")
        sizes = []
        for path in there:
            try:
                sizes.append(path.stat().st_size if path.is_file() else 0)
            except OSError:  # renamed meanwhile
                continue
        if max(sizes, default=0) >= at_least:
            return
        time.sleep(0.02)
    raise TimeoutError("nothing was downloaded")


def entries(home: Path) -> list[str]:
    saes = home / "saes"
    return sorted(p.name for p in saes.iterdir()) if saes.exists() else []


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.thorough)]
)
def test_what_was_downloaded_is_used_the_next_time(
    hub: HubStub, tmp_path: Path, number: signal.Signals
) -> None:
    home = tmp_path / "home"
    hub.drip(tiny.WEIGHTS, chunk=2000, every_s=0.05)
    process = start(hub, home)
    wait_for_bytes(home, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == (-9 if number == signal.SIGKILL else 1)
    if number == signal.SIGINT:
        assert json.loads(out)["message"].startswith("interrupted") and "Traceback" not in err
    assert entries(home) == []
    out, err = start(hub, home).communicate(timeout=120)
    assert [item["sae_id"] for item in json.loads(out)["items"]] == ["saes/a"], err
    assert entries(home) == ["saes"]
    assert any(request.headers.get("range") for request in hub.asked(tiny.WEIGHTS))
