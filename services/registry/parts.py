"""What the registry's modules share: settings, catalogues, tables, memory, tasks, the hub."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from services.lm.catalogue import ModelCatalogue
from services.registry.index import Index
from services.registry.places import Turns
from services.registry.tasks import Tasks
from services.sae.catalogue import SaeCatalogue
from services.settings import Settings

if TYPE_CHECKING:
    from services.hub import Hub
    from services.lm.resident import Residents
    from services.registry.store import RegistryStore
    from services.sae.directory import Directory


@dataclass
class Parts:
    """Built once by the container. Without `any_folder` only the open folders may be read."""

    settings: Settings
    models: ModelCatalogue
    saes: SaeCatalogue
    store: RegistryStore
    index: Index
    residents: Residents
    tasks: Tasks
    default_model: str
    demo: Path
    any_folder: bool = False
    turns: Turns = field(default_factory=Turns)
    refreshed: set[str] = field(default_factory=set)  # outdated reports, see measuring.refresh

    @cached_property
    def hub(self) -> Hub:
        """Made when it is first needed: its library takes a moment to import."""
        from services.hub import Hub

        token = self.settings.hub_token
        secret = token.get_secret_value() if token is not None else None
        return Hub(self.settings.hub_endpoint, secret, self.settings.offline)

    @cached_property
    def directory(self) -> Directory:
        """sae-lens' list of pretrained SAEs, read when it is first needed."""
        from services.sae.directory import Directory

        return Directory()

    def is_demo(self, path: Path) -> bool:
        """Whether the files are Actiscope's own."""
        return path.resolve().is_relative_to(self.demo.resolve())

    def model_names(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        """Every usable model's id, and the names under which it may be known."""
        from services.registry.rows import registration_of

        deleted = self.index.deleted("models")
        for entry in self.models.list():
            if entry.info.model_id in deleted:
                continue
            registration = registration_of(entry.path)
            repository = registration.repo_id if registration else None
            folder = entry.path.resolve().name
            yield entry.info.model_id, tuple(name for name in (repository, folder) if name)
