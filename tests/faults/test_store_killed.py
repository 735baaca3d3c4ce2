"""A process that builds a store is killed at random moments, again and again: what is visible is
always sound, and what comes out is byte for byte what an undisturbed process makes.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.errors import NotFound
from services.store import ActivationStore
from services.store.verify import verify
from tests.made_stores import digests

ROOT = Path(__file__).resolve().parents[2]


def start(folder: Path, pause_s: float = 0.002) -> subprocess.Popen[str]:
    """The builder, once it has begun to write."""
    command = [sys.executable, "-m", "tests.store_builder", str(folder), str(pause_s)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> float:
    """Wait for its end; how long that took."""
    began = time.monotonic()
    with process:
        assert process.wait(120) == 0
    return time.monotonic() - began


def kill(process: subprocess.Popen[str], after_s: float) -> bool:
    """Kill it after a while; False when it had ended before."""
    with process:
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return True
    assert process.returncode == 0
    return False


def assert_sound(folder: Path) -> None:
    """Every file of the newest version is complete and can be read."""
    try:
        store = ActivationStore.open(folder)
    except NotFound:
        return  # killed before the first version
    assert verify(str(folder)) == []
    assert sum(len(store.feature(feature)) for feature in range(24)) == store.nnz


@pytest.mark.timeout(600)
@pytest.mark.parametrize("wanted", [3, pytest.param(24, marks=pytest.mark.endurance)])
def test_a_killed_and_resumed_store_is_byte_identical(tmp_path, wanted):
    took_s = finish(start(tmp_path / "whole"))
    expected = digests(tmp_path / "whole")
    rng, kills, builds = random.Random(0), 0, 0
    while kills < wanted:
        folder = tmp_path / f"killed-{builds}"
        while kill(start(folder), rng.uniform(0.0, 0.7) * took_s):
            kills += 1
            assert_sound(folder)
        builds += 1
        assert digests(folder) == expected
    print(f"{kills} kills in {builds} builds: each result is byte-identical")
