"""The real server as a process, for tests that kill it or look at it from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 90


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`python app.py` with its own data folder."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        mine = os.environ  # noqa: TID251
        inherited = {k: v for k, v in mine.items() if not k.startswith("ACTISCOPE_")}
        own = {"ACTISCOPE_HOME": str(home), "ACTISCOPE_PORT": str(self.port), **settings}
        self._environment = inherited | {"ACTISCOPE_THREADS": "1"} | own | {"HF_HUB_OFFLINE": "1"}
        self.log = home / "server.log"
        home.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        """Start and wait until it answers; a server that ends is an error with its log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=PROJECT, env=self._environment, stdout=log,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended:\n{self.log.read_text()[-4000:]}")
            try:
                urllib.request.urlopen(self.url + "/", timeout=5).close()
                return self
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        raise TimeoutError(f"no answer within {START_TIMEOUT_S} s:\n{self.log.read_text()[-4000:]}")

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(number)
        return process.wait(30)

    def get(self, path: str) -> Any:
        """The JSON answer of `GET path`."""
        return self.call("GET", path)[1]

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON answer; 4xx and 5xx are answers too."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def start_long_run(self, body: dict[str, Any], tokens: int = 40) -> str:
        """The id of a run of which at least `tokens` are written and kept, and many to come."""
        runs = "/api/v1/playground/activations"
        status, started = self.call("POST", f"{runs}/run", body, {"Prefer": "respond-async"})
        assert status == 202, started
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            run = self.get(f"{runs}/{started['request_id']}")
            assert run["status"] in ("queued", "running"), run
            if len(run["output"]["token_ids"]) >= tokens:
                return started["request_id"]
            time.sleep(0.01)
        raise TimeoutError("the run wrote nothing")

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
