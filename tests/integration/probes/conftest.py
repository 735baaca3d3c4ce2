"""A server with a tiny model and SAEs of it that differ in how they fire and want to be fed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.container import Container
from services.settings import Settings
from tests import tiny

JUMP, DENSE, SIGNED, BARE = "jump", "dense", "owner/signed", "bare"


def furnish(home: Path) -> None:
    """Put the model and the SAEs into a data folder."""
    home.mkdir(parents=True)
    tiny.save_model(home, "tiny")
    ours: dict[str, Any] = {"model_name": "tiny"}
    tiny.save_sae(home, JUMP, metadata=ours)
    many = tiny.sae_tensors(d_sae=2048, seed=1)
    tiny.save_sae(home, DENSE, "standard", many, ours)
    tiny.save_sae(home, SIGNED, "topk", tiny.sae_tensors(seed=2), ours, k=20)
    tiny.save_sae(
        home, BARE, tensors=tiny.sae_tensors(seed=3), metadata=ours | {"prepend_bos": False}
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """Its services, for tests that keep nothing."""
    home = tmp_path_factory.mktemp("probes") / "home"
    furnish(home)
    made = Container(Settings(home=home, preload=False, default_model="tiny"))
    yield made
    made.close()


@pytest.fixture
def furnished(settings: Settings) -> Iterator[Container]:
    """Its services on a database of either kind."""
    furnish(settings.home)
    made = Container(settings)
    yield made
    made.close()


@contextmanager
def engine_held(container: Container, *, full: bool) -> Iterator[None]:
    """The engine works on something else for the time of the block; `full`: and no place is left
    in its queue.
    """
    begun, released = threading.Event(), threading.Event()
    worker = container.base.worker
    work = [worker.submit(lambda: (begun.set(), released.wait()))]
    assert begun.wait(10)
    if full:
        work += [worker.submit(int) for _ in range(worker.limit)]
    try:
        yield
    finally:
        released.set()
        for one in work:
            one.result(10)


def save_again(home: Path, sae_id: str, seed: int) -> None:
    """An SAE with random weights, in place of the one that is there."""
    if (folder := home / "saes" / sae_id).exists():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    tensors = tiny.sae_tensors(seed=seed)
    tiny.save_sae(home, sae_id, "topk", tensors, {"model_name": "tiny"}, k=20)
