"""The models and SAEs that are in memory: loaded once, one at a time, within a budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from services.errors import ActiscopeError, NotFound, ResourceExhausted
from services.lm.catalogue import ModelCatalogue, ModelEntry
from services.lm.device import choose_device, choose_dtype, memory, release
from services.lm.folders import stamp
from services.lm.memory import BUDGET_SHARE, gigabytes, model_bytes, sae_bytes
from services.lm.shelf import Key, Shelf
from services.sae.catalogue import SaeCatalogue, SaeEntry

if TYPE_CHECKING:
    import torch

    from services.lm.language_model import LanguageModel
    from services.sae.loader import Sae

    Place = tuple[torch.device, torch.dtype]

_READ = (".json", ".safetensors", ".jinja", ".model", ".txt")


class Residents:
    """What is loaded, on one device, together within `budget_bytes`.

    `model`, `sae` and `hold` are called where the computing is done and may take long; all else
    answers at once, also while something is being loaded, and never imports torch.
    What was used longest ago makes room. What has changed on disk is read again.
    """

    def __init__(
        self,
        models: ModelCatalogue,
        saes: SaeCatalogue,
        device: str = "auto",
        dtype: str = "auto",
        threads: int = 0,
        budget_bytes: int = 0,
    ) -> None:
        self._models, self._saes = models, saes
        self._device, self._dtype, self._threads = device, dtype, threads
        self._budget_bytes = budget_bytes
        self._shelf = Shelf()
        self._lock = threading.Lock()  # held while something is loaded
        self._place: Place | None = None
        self._loading: str | None = None
        self._failures: dict[str, dict[str, str]] = {"models": {}, "saes": {}, "device": {}}

    def model(self, model_id: str) -> LanguageModel:
        """The model, loaded when it is not yet, or no longer as it is on disk.

        Raises `NotFound`, `Unsupported` or `ResourceExhausted`; a later call tries again.
        """

        def load(entry: ModelEntry, place: Place) -> tuple[LanguageModel, int]:
            from services.lm.loader import load_model, weight_bytes

            self._make_room(model_id, model_bytes(entry.info, str(place[1])))
            lm = load_model(entry, *place, self._threads)
            return lm, weight_bytes(lm.model)

        return self._resident(("models", model_id), load)

    def sae(self, sae_id: str) -> Sae:
        """The SAE, likewise; in float32 whatever the model computes in."""

        def load(entry: SaeEntry, place: Place) -> tuple[Sae, int]:
            from services.sae.loader import load_sae

            size = sae_bytes(entry.info)
            self._make_room(sae_id, size)
            return load_sae(entry, place[0], threads=self._threads), size

        return self._resident(("saes", sae_id), load)

    @contextmanager
    def hold(self, model_id: str | None, sae_ids: Sequence[str] = ()) -> Iterator[None]:
        """Nobody evicts or unloads these meanwhile; each stays the one that was first given."""
        keys: list[Key] = [("saes", sae_id) for sae_id in dict.fromkeys(sae_ids)]
        keys += [("models", model_id)] if model_id is not None else []
        for key in keys:
            with suppress(ActiscopeError):  # said when it is asked for
                self._entry(key)
        with self._shelf.hold(keys):
            yield

    def unload_model(self, model_id: str) -> bool:
        """Let go of the model; whether it was in memory.

        Raises:
            Conflict: a run uses it.
        """
        return self._unload(("models", model_id))

    def unload_sae(self, sae_id: str) -> bool:
        """Let go of the SAE, likewise."""
        return self._unload(("saes", sae_id))

    def budget(self) -> int:
        """Bytes that models and SAEs may take together: as configured, or 80 % of the device's.

        While nothing has been loaded and the device is still to be chosen: of the machine's.
        """
        place = self._place
        total = memory(place[0] if place else None)["total"]
        return self._budget_bytes or int(BUDGET_SHARE * total)

    def sizes(self) -> dict[str, dict[str, int]]:
        """Bytes of each of the `models` and `saes` in memory, by id."""
        return self._shelf.sizes()

    def loaded(self) -> dict[str, list[str]]:
        """Ids of the `models` and `saes` in memory."""
        return {kind: list(sizes) for kind, sizes in self.sizes().items()}

    def describe(self) -> dict[str, Any]:
        """Device, dtype, memory in bytes, and the id of what is being loaded, for health."""
        place = self._place
        return {
            "device": str(place[0]) if place else self._device,
            "dtype": str(place[1]).removeprefix("torch.") if place else self._dtype,
            "memory": memory(place[0] if place else None),
            "budget": self.budget(),
            "used": self._shelf.used(),
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

    def _resident(self, key: Key, load: Callable[[Any, Place], tuple[Any, int]]) -> Any:
        if self._shelf.is_held(key) and (kept := self._shelf.get(key)) is not None:
            return kept
        self._entry(key)
        if (kept := self._shelf.get(key)) is None:
            with self._lock:
                # Another thread may have loaded it, or the folder have changed, meanwhile.
                entry = self._entry(key)
                if (kept := self._shelf.get(key)) is None:
                    kept = self._load(key, entry, load)
        return kept

    def _entry(self, key: Key) -> Any:
        """What the folder says; lets go of what is in memory and no longer the folder's."""
        kind, id = key
        try:
            entry = (self._models if kind == "models" else self._saes).get(id)
            current = _content(entry)
        except ActiscopeError:
            self._let_go(key)
            raise
        except OSError:
            self._let_go(key)
            raise NotFound(f"the folder of {id} has just been removed", id=id) from None
        if self._shelf.stamp(key) not in (None, current):
            self._let_go(key)
        return entry

    def _load(self, key: Key, entry: Any, load: Callable[[Any, Place], tuple[Any, int]]) -> Any:
        kind, self._loading = key
        try:
            place = self._placed()
            with self._noted(kind, key[1]):
                seen = _content(entry)
                value, size = load(entry, place)
                self._shelf.put(key, value, size, seen)
                return value
        finally:
            self._loading = None

    def _make_room(self, id: str, needed: int) -> None:
        """Evict until `needed` bytes more are within the budget, and free on the device."""
        budget = self.budget()
        if needed > budget:
            raise ResourceExhausted(
                f"{id} needs about {gigabytes(needed)}, the memory budget is {gigabytes(budget)}: "
                "raise ACTISCOPE_MEMORY_BUDGET_GB, set ACTISCOPE_DTYPE=bfloat16, or take a "
                "smaller one",
                needed_bytes=needed,
                budget_bytes=budget,
            )
        device = self._placed()[0]
        while (used := self._shelf.used()) + needed > budget or needed > memory(device)["free"]:
            if self._shelf.drop_oldest() is not None:
                release()
            elif used + needed > budget:
                raise _all_held(id, needed, used, budget)
            else:
                return  # the loader says how much is free

    def _unload(self, key: Key) -> bool:
        was_there = self._shelf.drop(key)
        if was_there:
            release()
        return was_there

    def _let_go(self, key: Key) -> None:
        with suppress(ActiscopeError):  # held: its run ends with what it began with
            self._unload(key)

    def _placed(self) -> Place:
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


def _content(entry: ModelEntry | SaeEntry) -> object:
    """What the files that loading reads look like: a README more is no reason to load again."""
    return [file for file in stamp(entry.path) if file[0].endswith(_READ)]


def _all_held(id: str, needed: int, used: int, budget: int) -> ResourceExhausted:
    return ResourceExhausted(
        f"{id} needs about {gigabytes(needed)}; {gigabytes(used)} of the memory budget of "
        f"{gigabytes(budget)} are taken by what this run uses: choose fewer SAEs, or raise "
        "ACTISCOPE_MEMORY_BUDGET_GB",
        needed_bytes=needed,
        budget_bytes=budget,
    )
