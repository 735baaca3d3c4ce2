"""The models and SAEs that are in memory: loaded once, one at a time, and kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from services.errors import ActiscopeError
from services.lm.catalogue import ModelCatalogue
from services.lm.device import choose_device, choose_dtype, memory
from services.sae.catalogue import SaeCatalogue

if TYPE_CHECKING:
    import torch

    from services.lm.language_model import LanguageModel
    from services.sae.loader import Sae


class Residents:
    """What is loaded, on one device.

    `model` and `sae` are called where the computing is done and may take long; `loaded` and
    `describe` answer at once, also while something is being loaded, and never import torch.
    """

    def __init__(
        self,
        models: ModelCatalogue,
        saes: SaeCatalogue,
        device: str = "auto",
        dtype: str = "auto",
        threads: int = 0,
    ) -> None:
        self._catalogues = (models, saes)
        self._device, self._dtype, self._threads = device, dtype, threads
        self._models: dict[str, LanguageModel] = {}
        self._saes: dict[str, Sae] = {}
        self._lock = threading.Lock()
        self._place: tuple[torch.device, torch.dtype] | None = None
        self._loading: str | None = None
        self._failures: dict[str, dict[str, str]] = {"models": {}, "saes": {}, "device": {}}

    def model(self, model_id: str) -> LanguageModel:
        """The model, loaded when it is not yet.

        Raises `NotFound`, `Unsupported` or `ResourceExhausted`; a later call tries again.
        """
        if model_id not in self._models:
            entry = self._catalogues[0].get(model_id)
            from services.lm.loader import load_model

            with self._lock:
                if model_id not in self._models:
                    self._load(
                        "models",
                        self._models,
                        model_id,
                        lambda p: load_model(entry, p[0], p[1], self._threads),
                    )
        return self._models[model_id]

    def sae(self, sae_id: str) -> Sae:
        """The SAE, loaded when it is not yet; in float32 whatever the model computes in."""
        if sae_id not in self._saes:
            entry = self._catalogues[1].get(sae_id)
            from services.sae.loader import load_sae

            with self._lock:
                if sae_id not in self._saes:
                    self._load(
                        "saes",
                        self._saes,
                        sae_id,
                        lambda p: load_sae(entry, p[0], threads=self._threads),
                    )
        return self._saes[sae_id]

    def loaded(self) -> dict[str, list[str]]:
        """Ids of the `models` and `saes` in memory."""
        return {"models": sorted(self._models), "saes": sorted(self._saes)}

    def describe(self) -> dict[str, Any]:
        """Device, dtype, memory in bytes, and the id of what is being loaded, for health."""
        place = self._place
        return {
            "device": str(place[0]) if place else self._device,
            "dtype": str(place[1]).removeprefix("torch.") if place else self._dtype,
            "memory": memory(place[0] if place else None),
            "loading": self._loading,
            **self.loaded(),
        }

    def failures(self) -> dict[str, dict[str, str]]:
        """Why the last attempt failed: of `models` and `saes` by id, of the `device` by its name.

        A later attempt that succeeds removes the entry.
        """
        return {kind: dict(reasons) for kind, reasons in self._failures.items()}

    def try_device(self) -> None:
        """Find out whether the configured device can be used; `failures` and `describe` tell."""
        with self._lock, suppress(ActiscopeError):
            self._placed()

    def _placed(self) -> tuple[torch.device, torch.dtype]:
        if self._place is None:
            with self._noted("device", self._device):
                device = choose_device(self._device)
                self._place = (device, choose_dtype(self._dtype, device))
        return self._place

    @contextmanager
    def _noted(self, kind: str, id: str) -> Iterator[None]:
        """Keeps why the block failed, until it succeeds."""
        try:
            yield
        except ActiscopeError as error:
            self._failures[kind][id] = error.message
            raise
        except Exception as error:
            self._failures[kind][id] = f"an unexpected {type(error).__name__}: {error}"[:500]
            raise
        self._failures[kind].pop(id, None)

    def _load(
        self,
        kind: str,
        kept: dict[str, Any],
        id: str,
        load: Callable[[tuple[torch.device, torch.dtype]], Any],
    ) -> None:
        self._loading = id
        try:
            place = self._placed()
            with self._noted(kind, id):
                kept[id] = load(place)
        finally:
            self._loading = None
