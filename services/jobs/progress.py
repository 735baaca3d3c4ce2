"""How far a job is, as it tells it: phases, rate, and lines for its log. Safe between threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from db.job_records import Chunk, LogLine, ProgressRecord
from db.records import utc_now
from services.text import storable

RATE_OVER_S = 10.0
_PHASES_KEPT = 50
_LINES_WAITING = 500  # of the log, until they are stored


class Progress:
    """The progress of one attempt; it begins where the attempt before left off."""

    def __init__(self, record: ProgressRecord | None = None) -> None:
        record = record or ProgressRecord()
        self._lock = threading.Lock()
        self._phases: list[dict[str, Any]] = [dict(phase) for phase in record.phases]
        self._message = record.progress_message
        self._since: float | None = None  # when the last of the phases went on
        self._marks: deque[tuple[float, int]] = deque(maxlen=500)
        self._lines: list[LogLine] = []

    def begin(self, phase: str, total: int | None, unit: str, done: int) -> None:
        """A phase begins, or goes on."""
        name, now = storable(phase), time.monotonic()
        with self._lock:
            self._settle(now)
            before = sum(p["seconds"] for p in self._phases if p["name"] == name)
            begun = {"name": name, "done": int(done), "total": _whole(total)}
            begun |= {"unit": storable(unit), "seconds": before}
            others = [p for p in self._phases if p["name"] != name]
            self._phases = [*others, begun][-_PHASES_KEPT:]
            self._message, self._since = "", now
            self._marks.clear()
            self._marks.append((now, int(done)))

    def advance(self, done: int, total: int | None, message: str | None) -> None:
        """So much of the phase is done."""
        with self._lock:
            if not self._phases:
                raise RuntimeError("a job says `begin` before it says how far it is")
            current = self._phases[-1]
            current["done"] = int(done)
            current["total"] = current["total"] if total is None else int(total)
            self._message = self._message if message is None else storable(message)
            self._marks.append((time.monotonic(), int(done)))

    def log(self, message: str, level: str) -> None:
        """A line for the log; when they cannot be stored for long, the oldest go."""
        line = LogLine(storable(message), level, utc_now())
        with self._lock:
            self._lines.append(line)
            del self._lines[:-_LINES_WAITING]

    def snapshot(self, checkpoint: dict[str, Any] | None = None) -> Chunk:
        """What is to be kept now."""
        with self._lock:
            self._settle(time.monotonic())
            current = self._phases[-1] if self._phases else {}
            progress = ProgressRecord(
                phase=current.get("name", ""),
                progress_done=current.get("done", 0),
                progress_total=current.get("total"),
                progress_unit=current.get("unit", ""),
                progress_message=self._message,
                progress_per_s=self._rate(),
                phases=tuple(dict(phase) for phase in self._phases),
            )
            return Chunk(progress=progress, checkpoint=checkpoint, log=tuple(self._lines))

    def stored(self, chunk: Chunk) -> None:
        """`chunk` is kept: its lines need not be stored again."""
        with self._lock:
            kept = {id(line) for line in chunk.log}
            self._lines = [line for line in self._lines if id(line) not in kept]

    def _settle(self, now: float) -> None:
        """Count the time up to now for the current phase."""
        if self._since is not None:
            spent = self._phases[-1]["seconds"] + now - self._since
            self._phases[-1]["seconds"] = round(spent, 6)
            self._since = now

    def _rate(self) -> float | None:
        """Progress per second over the last seconds; None before there is any."""
        marks, oldest = list(self._marks), time.monotonic() - RATE_OVER_S
        recent = [mark for mark in marks if mark[0] >= oldest]
        recent = recent if len(recent) > 1 else marks[-2:]
        if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
            return None
        return max(recent[-1][1] - recent[0][1], 0) / (recent[-1][0] - recent[0][0])


def _whole(number: int | None) -> int | None:
    return None if number is None else int(number)
