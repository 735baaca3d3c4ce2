"""A worker process for the fault tests of extractions.

`python -m tests.faults.extraction_worker HOME DATABASE_URL LEASE_S` works until SIGTERM, with what
a server works with. FILE_BYTES limits every file that it writes, as a disk that is full would.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import threading
from pathlib import Path

from services.container import Container
from services.jobs.runner import Runner
from services.jobs.table_queue import TableQueue
from services.settings import Settings

_FILE_BYTES = int(os.environ.get("FILE_BYTES", "0"))  # noqa: TID251  (no setting of the product)


def main(home: str, url: str, lease_s: float) -> None:
    """Work until SIGTERM."""
    logging.basicConfig(level="INFO", format="%(relativeCreated)d %(levelname)s %(message)s")
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    settings = Settings(home=Path(home), database_url=url, preload=False, threads=1)
    container = Container(settings)
    container.base.residents.try_device()  # imports what takes long before the test counts seconds
    from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel  # noqa: F401

    if _FILE_BYTES:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    queue = TableQueue(container.base.database)
    runner = Runner(queue, container.job_kinds, lease_s=lease_s, poll_s=0.05)
    runner.start()
    print("ready", flush=True)
    stopped.wait()
    runner.close(20)
    container.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
