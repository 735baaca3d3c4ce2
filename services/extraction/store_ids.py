"""Ids of extractions, which are those of their stores: `ext_sae_<SAE>_<UTC to the millisecond>`."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from db.records import utc_now

_NAME_CHARS = 150

_lock = threading.Lock()
_last = datetime.min


def new_ids(sae_ids: Sequence[str]) -> tuple[tuple[str, ...], datetime]:
    """An id for each SAE, and the time of their making; no two calls of a process share one."""
    global _last
    with _lock:
        now = utc_now().replace(tzinfo=None)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        _last = at = max(now, _last + timedelta(milliseconds=1))
    stamp = f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03d}Z"
    names: list[str] = []
    for name in map(_safe, sae_ids):  # `a/b` and `a-b` look alike afterwards
        names.append(name if name not in names else f"{name}-{len(names)}")
    return tuple(f"ext_sae_{name}_{stamp}" for name in names), utc_now()


def _safe(sae_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._\-]", "-", sae_id)[:_NAME_CHARS]
