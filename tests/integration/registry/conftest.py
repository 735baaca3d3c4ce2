"""The registry over real folders: a workshop of tiny models and SAEs beside the data folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.container import Container
from services.registry.requests import AddModel, AddSaes
from services.registry.service import Registry
from services.settings import Settings
from services.types import TaskStatus, TaskView

TIMEOUT_S = 120


class Shop:
    """A container, and a folder of the user's that it may read."""

    def __init__(self, container: Container, folder: Path) -> None:
        self.container = container
        self.registry: Registry = container.registry
        self.folder = folder
        self.home: Path = container.settings.home

    def done(self, task: TaskView) -> TaskView:
        """The task once it has succeeded."""
        task = self.ended(task)
        assert task.status is TaskStatus.SUCCEEDED, task
        return task

    def ended(self, task: TaskView) -> TaskView:
        """The task once it is final."""
        task = self.registry.wait(task.task_id, TIMEOUT_S)
        assert task.status.is_final, task
        return task

    def add_model(self, path: Path, **given: Any) -> str:
        """Register a folder; the model's id."""
        request = AddModel.parse({"source": "local", "path": str(path)} | given)
        return self.done(self.registry.add_model(request)).results[0]

    def add_saes(self, path: Path, **given: Any) -> TaskView:
        """Register the SAEs of a folder, not measured unless told; the task, ended."""
        asked = {"source": "local", "path": str(path), "preflight": False} | given
        return self.ended(self.registry.add_saes(AddSaes.parse(asked)))

    def left_behind(self) -> list[str]:
        """Hidden folders of adding and removing: there must be none."""
        kinds = [self.home / kind for kind in ("models", "saes")]
        return [p.name for kind in kinds if kind.exists() for p in kind.iterdir()
                if p.name.startswith(".")]  # fmt: skip

    def saes(self) -> list[str]:
        """Ids of the SAEs that are not the demo's."""
        return [c.info.sae_id for c in self.registry.saes() if "demo" not in c.info.sae_id]


@pytest.fixture
def make_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Shop]]:
    """A shop with any settings, on SQLite unless told otherwise; what is measured unasked begins
    soon.
    """
    monkeypatch.setattr("services.registry.tasks._QUIET_S", 0.3)
    made: list[Container] = []

    def make(**given: Any) -> Shop:
        folder = tmp_path / "workshop"
        folder.mkdir(exist_ok=True)
        asked = {"home": tmp_path / "home", "local_roots": str(folder), "preload": False}
        asked |= {"offline": False}  # whatever HF_HUB_OFFLINE says to these tests
        container = Container(Settings(_env_file=None, **(asked | given)))
        made.append(container)
        return Shop(container, folder)

    yield make
    for container in made:
        container.close()


@pytest.fixture
def shop(make_shop: Callable[..., Shop], database_url: str) -> Shop:
    """On a fresh database of either kind."""
    return make_shop(database_url=database_url)


@pytest.fixture
def one_shop(make_shop: Callable[..., Shop]) -> Shop:
    """On SQLite, for what no database has a part in."""
    return make_shop()
