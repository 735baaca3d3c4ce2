"""Ids of jobs: UUIDs of version 7, which sort by the time of their making."""

from __future__ import annotations

import re
import secrets
import threading
import time
import uuid

PATTERN = r"^[0-9a-f\-]{36}$"

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A new UUIDv7; those of one process ascend strictly."""
    global _last
    with _lock:
        # 48 bits of milliseconds, then 12 bits of their fraction (RFC 9562, method 3).
        nanoseconds = time.time_ns()
        tick = (nanoseconds // 10**6 << 12) + (nanoseconds % 10**6 << 12) // 10**6
        _last = tick = max(tick, _last + 1)
    milliseconds, fraction = tick >> 12, tick & 0xFFF
    value = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def could_be_id(text: str) -> bool:
    """Whether `text` looks like a job's id; anything else need not be asked for."""
    return re.fullmatch(PATTERN, text) is not None
