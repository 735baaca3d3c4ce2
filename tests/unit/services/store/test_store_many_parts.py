"""A store with more parts than a process may have files open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.store import Layout, tokens
from tests.made_stores import build, dense, spec


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts them in Linux' /proc")
def test_reading_everywhere_keeps_few_parts_open(tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "_OPEN", 4)
    corpus = dense(300)
    store = build(tmp_path, corpus, spec(layout=Layout(part_tokens=10)))
    before = len(os.listdir("/proc/self/fd"))
    for position in [*range(0, 300, 7), *range(299, 0, -7)]:
        (found,) = store.tokens(position, position + 1).token_ids
        assert found == corpus.token_ids[position]
    assert len(os.listdir("/proc/self/fd")) - before <= 4
