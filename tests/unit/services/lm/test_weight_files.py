"""Files from outside: what is read of them, and what is not even opened."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.errors import ActiscopeError, Unsupported
from services.lm.catalogue import ModelCatalogue
from services.lm.weight_files import read_header, read_json
from services.sae.formats import npz
from services.sae.formats.arrays import read_specs


def ended(work: Callable[[], Any]) -> list[Any]:
    """What `work` gave or raised; () when it is still waiting after a generous while."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except ActiscopeError as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    return results


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("read", [read_json, read_header, read_specs, npz.read_specs])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    pipe = tmp_path / "config.json"
    os.mkfifo(pipe)
    (result,) = ended(lambda: read(pipe))
    assert isinstance(result, Unsupported) and "no regular file" in result.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_model_whose_configuration_is_a_pipe_does_not_hold_up_the_list(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "odd"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "config.json")
    (problems,) = ended(lambda: ModelCatalogue([tmp_path]).problems())
    assert [p.id for p in problems] in ([], ["odd"])


@pytest.mark.parametrize("read", [read_json, read_header, read_specs])
def test_a_folder_is_no_file(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for _ in range(5):
        with pytest.raises(Unsupported, match="no regular file"):
            read(tmp_path)
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_a_configuration_of_any_length_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "cfg.json"
    file.write_bytes(b"{}")
    os.truncate(file, 65 * 2**20)  # zeros, which take no room on the disk
    with pytest.raises(Unsupported, match="larger than 64 MB"):
        read_json(file)
    file.write_bytes(b'{"a": 1}' + b" " * (2**20))
    assert read_json(file) == {"a": 1}
