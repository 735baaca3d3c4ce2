"""A queue on a fresh database of either kind, as several workers see it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from services.database import Database, open_database
from services.jobs.queue import JobQueue
from services.jobs.table_queue import TableQueue
from tests.made_jobs import make_chunks_table

HERE = f"{socket.gethostname()}/{os.getpid()}"
LIVING, GONE, FAR = f"{HERE}/1", f"{socket.gethostname()}/999999999/1", "elsewhere/7/1"

MakeQueue = Callable[..., JobQueue]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_database(database_url)) as opened:
        make_chunks_table(opened._engine)
        yield opened


@pytest.fixture
def queue_of(database: Database) -> MakeQueue:
    """The queue for a worker; the contract is for every adapter that this could make."""
    return lambda owner=FAR: TableQueue(database, owner)


@pytest.fixture
def queue(queue_of: MakeQueue) -> JobQueue:
    return queue_of()
