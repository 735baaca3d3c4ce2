"""Time from the start of `python app.py` to its first page, against `python -c "import torch"`.

Both are new processes with their files in the system's cache. The first page is `GET /` answered
with the application's document; when the layout that a browser asks for next has come is in the
details.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from pathlib import Path

from benchmarks.result import Result, Samples, interleaved, ratio
from tests.servers import PROJECT, free_port

_TIMEOUT_S = 120
_POLL_S = 0.01
_GOAL = 1.5
_ANCHOR = 'python -c "import torch"'


def measure(quick: bool) -> list[Result]:
    """With an empty data folder, whose database is made first, and with one that exists."""
    layouts: Samples = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        homes = (Path(folder) / str(number) for number in range(1000))
        existing = next(homes)
        sides = {
            "new data folder": lambda: _start(next(homes), layouts["new data folder"]),
            _ANCHOR: _import_torch,
            "existing data folder": lambda: _start(existing, layouts["existing data folder"]),
        }
        for warm_up in sides.values():
            warm_up()
        layouts.clear()
        samples = interleaved(sides, 2 if quick else 9)
    return [_result(name, samples, layouts[name]) for name in sides if name != _ANCHOR]


def _result(name: str, samples: Samples, layouts: list[float]) -> Result:
    value, spread = ratio(samples[name], samples[_ANCHOR])
    return Result(
        name=f"process start to first page ÷ import torch: {name}",
        value=value,
        unit="×",
        anchor=_ANCHOR,
        repetitions=len(layouts),
        spread=spread,
        goal=_GOAL,
        details={
            "median to the first page, s": statistics.median(samples[name]),
            "median to the layout, s": statistics.median(layouts),
            "median of the anchor, s": statistics.median(samples[_ANCHOR]),
        },
    )


def _import_torch() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - started


def _start(home: Path, layouts: list[float]) -> float:
    """Seconds to the first page; those to the layout are added to `layouts`."""
    port = free_port()
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=PROJECT,
            env=_environment(home, port),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(process, f"http://127.0.0.1:{port}/", b"Actiscope")
            page = time.perf_counter() - started
            _wait_for(process, f"http://127.0.0.1:{port}/_dash-layout", b"AppShell")
            layouts.append(time.perf_counter() - started)
            return page
        finally:
            process.terminate()
            process.wait(30)


def _environment(home: Path, port: int) -> dict[str, str]:
    """The caller's, without its settings for the product."""
    inherited = os.environ  # noqa: TID251  (what a child process gets, not a setting)
    kept = {name: value for name, value in inherited.items() if not name.startswith("ACTISCOPE_")}
    return kept | {"ACTISCOPE_HOME": str(home), "ACTISCOPE_PORT": str(port)}


def _wait_for(process: subprocess.Popen[bytes], url: str, expected: bytes) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
                if expected in answer.read():
                    return
                raise RuntimeError(f"{url} answers something else")
        except urllib.error.HTTPError:
            raise
        except (urllib.error.URLError, ConnectionError):
            time.sleep(_POLL_S)
    raise TimeoutError(f"no answer within {_TIMEOUT_S} s")
