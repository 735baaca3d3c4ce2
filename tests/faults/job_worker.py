"""A worker process for the fault tests: it counts, and dies where it is told to.

`python -m tests.faults.job_worker DATABASE_URL LEASE_S` works until SIGTERM. DIE_AT names a stage
at which it kills itself with SIGKILL; DIE_AFTER says how many chunks come before.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Any

from services.database import open_database
from services.jobs.kinds import Kinds
from services.jobs.runner import Runner
from services.jobs.table_queue import TableQueue
from tests.made_jobs import COUNT

STAGES = ("claimed", "computing", "written", "committed", "finishing", "finished")

_DIE_AT = os.environ.get("DIE_AT", "")  # noqa: TID251  (not a setting of the product)
_DIE_AFTER = int(os.environ.get("DIE_AFTER", "0"))  # noqa: TID251


class FailingQueue(TableQueue):
    """The queue of a worker that dies at a stage."""

    _chunks = 0

    def _stage(self, name: str) -> None:
        if name == _DIE_AT and self._chunks >= _DIE_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)

    def claim(self, *given: Any, **named: Any) -> Any:
        """Then it may die, the job claimed."""
        found = super().claim(*given, **named)
        if found is not None:
            self._stage("claimed")
        return found

    def keep(self, hold: Any, lease_s: float, chunk: Any, write: Any = None) -> bool:
        """Before it, within the transaction, or after it, it may die."""
        if write is None:
            return super().keep(hold, lease_s, chunk)
        self._stage("computing")

        def write_and_die(session: Any) -> None:
            write(session)
            self._stage("written")

        answer = super().keep(hold, lease_s, chunk, write_and_die)
        self._chunks += 1
        self._stage("committed")
        return answer

    def finish(self, *given: Any) -> Any:
        """Before or after it, it may die."""
        self._stage("finishing")
        status = super().finish(*given)
        self._stage("finished")
        return status


def main(url: str, lease_s: float) -> None:
    """Work until SIGTERM."""
    logging.basicConfig(level="INFO", format="%(relativeCreated)d %(levelname)s %(message)s")
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    database = open_database(url)
    runner = Runner(FailingQueue(database), Kinds(COUNT), lease_s=lease_s, poll_s=0.05)
    runner.start()
    print("ready", flush=True)
    stopped.wait()
    runner.close(5)
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
