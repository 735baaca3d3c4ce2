"""The SAEs of this server: folders in sae-lens' disk format. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.lm.folders import Folders, Problem
from services.lm.weight_files import broken, revision
from services.sae.config import CONFIG, WEIGHTS, SaeConfig, check_weights, read_config
from services.sae.registration import Registration, read_registration
from services.types import SaeInfo


@dataclass(frozen=True, slots=True)
class SaeEntry:
    """An SAE on disk."""

    info: SaeInfo
    path: Path
    config: SaeConfig
    registration: Registration | None = None  # None where it was put in place by hand

    @property
    def capture_name(self) -> str:
        """The hook name to capture for it: the module path where it is recorded.

        Some releases use the other vocabulary loosely; the module path says what was read.
        """
        return self.config.hf_hook_name or self.config.hook_name


class SaeCatalogue:
    """The SAEs below `<root>/saes/` of several roots."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._folders = Folders(roots, "saes", CONFIG, _read_sae)

    def list(self, model_id: str | None = None) -> tuple[SaeEntry, ...]:
        """The usable SAEs, or those of one model, by layer and id."""
        found = (e for e in self._folders.list() if model_id is None or e.info.model_id == model_id)
        return tuple(sorted(found, key=lambda e: (e.info.layer, e.info.sae_id)))

    def get(self, sae_id: str) -> SaeEntry:
        """The SAE; `NotFound` lists what exists, `Unsupported` says what is wrong with it."""
        return self._folders.get(sae_id)

    def problems(self) -> tuple[Problem, ...]:
        """The folders that are not offered, and why."""
        return self._folders.problems()


def _read_sae(sae_id: str, path: Path) -> SaeEntry:
    config = read_config(path)
    check_weights(path, config)
    registration = read_registration(path)
    model_id = (registration.model_id if registration else "") or config.model_name
    if not model_id:
        raise broken(path / CONFIG, "names no model", "add metadata.model_name")
    info = SaeInfo(
        sae_id=sae_id,
        model_id=model_id,
        hook_name=config.hook_name,
        layer=config.layer,
        d_in=config.d_in,
        d_sae=config.d_sae,
        architecture=config.architecture,
        revision=revision([path / WEIGHTS], hash_large=False),
        neuronpedia_id=config.neuronpedia_id,
        trained_on=config.model_name,
    )
    return SaeEntry(info, path, config, registration)
