"""Who works on a run: told apart from a dead process by host, process id and its start time."""

from __future__ import annotations

import functools
import os
import socket

import psutil

# The clock may be set while a process runs, which shifts what the system says of its start.
_CLOCK_TOLERANCE_S = 3


@functools.cache
def this_process() -> str:
    """The owner name that this process writes on its runs: `host/pid/start`."""
    return f"{socket.gethostname()}/{os.getpid()}/{int(psutil.Process().create_time())}"


def is_of_this_host(owner: str) -> bool:
    """Whether the owner is or was a process of this host."""
    return owner.rsplit("/", 2)[0] == socket.gethostname()


def is_dead(owner: str) -> bool:
    """Whether the owner is a process of this host that has ended; False for other hosts.

    Other hosts cannot be looked into: their silence is judged by the age of their heartbeat.
    """
    _, pid, started = owner.rsplit("/", 2)
    if not is_of_this_host(owner):
        return False
    try:
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - int(started)) <= _CLOCK_TOLERANCE_S
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
