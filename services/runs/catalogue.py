"""Which models and SAEs a run may name: folders under the demo and under the data folder."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Literal, Protocol

from services.errors import InvalidArgument, NotFound, Unsupported
from services.lm.catalogue import ModelCatalogue, ModelEntry
from services.sae.catalogue import SaeCatalogue, SaeEntry
from services.types import ModelInfo, SaeInfo, Verdict

Kind = Literal["models", "saes"]


class Marks(Protocol):
    """What folders do not say: the registry's index."""

    def deleted(self, kind: Kind) -> Collection[str]:
        """Ids that were taken out of use."""

    def verdict(self, sae: SaeEntry, model: ModelEntry | None) -> Verdict | None:
        """Of the SAE's newest preflight with its model, while neither has changed."""


class NoMarks:
    """Without tables: all that is in the folders is in use, and nothing was measured."""

    def deleted(self, kind: Kind) -> Collection[str]:
        """None."""
        return ()

    def verdict(self, sae: SaeEntry, model: ModelEntry | None) -> Verdict | None:
        """None."""
        return None


class Catalogue:
    """Models with the SAEs that fit them."""

    def __init__(
        self,
        models: ModelCatalogue,
        saes: SaeCatalogue,
        default_model: str,
        marks: Marks | None = None,
    ) -> None:
        self._models = models
        self._saes = saes
        self._default_model = default_model
        self._marks = marks or NoMarks()

    @property
    def default_model(self) -> str:
        """The model of a run that names none."""
        return self._default_model

    def models(self) -> tuple[ModelInfo, ...]:
        """Every model with its SAEs, the default one first; what was deleted is left out."""
        gone, gone_saes = self._marks.deleted("models"), self._marks.deleted("saes")
        entries = [entry for entry in self._models.list() if entry.info.model_id not in gone]
        saes: dict[str, list[SaeInfo]] = {entry.info.model_id: [] for entry in entries}
        by_id = {entry.info.model_id: entry for entry in entries}
        for sae in self._saes.list():
            model_id = sae.info.model_id
            if model_id in saes and sae.info.sae_id not in gone_saes:
                saes[model_id].append(self._judged(sae, by_id[model_id]))
        infos = [replace(e.info, saes=tuple(saes[e.info.model_id])) for e in entries]
        infos.sort(key=lambda info: (info.model_id != self._default_model, info.model_id))
        return tuple(infos)

    def sae(self, sae_id: str) -> SaeInfo:
        """The SAE of that id, with its verdict.

        Raises:
            NotFound: there is none; the message lists those that are there.
        """
        sae = self.sae_entry(sae_id)
        models = (m for m in self._models.list() if m.info.model_id == sae.info.model_id)
        return self._judged(sae, next(models, None))

    def sae_entry(self, sae_id: str) -> SaeEntry:
        """The SAE with its place on disk."""
        return self._saes.get(sae_id)

    def model_entry(self, model_id: str) -> ModelEntry:
        """The model with its place on disk."""
        return self._models.get(model_id)

    def problems(self) -> tuple[tuple[str, str], ...]:
        """Folders that hold no usable model or SAE, each with the reason."""
        models = [p for p in self._models.problems() if p.id not in self._marks.deleted("models")]
        saes = [p for p in self._saes.problems() if p.id not in self._marks.deleted("saes")]
        return tuple((problem.id, problem.reason) for problem in (*models, *saes))

    def resolve(
        self,
        model_id: str | None,
        sae_ids: tuple[str, ...] | None,
        sae_id: str | None,
        sae_layer: int | None,
    ) -> tuple[str, tuple[str, ...]]:
        """The model and SAEs that a request means; what it does not name is the default.

        SAEs that a preflight found broken are used only where they are named.

        Raises:
            NotFound: no such model or SAE, or it was deleted.
            Unsupported: an SAE was made for another model.
            InvalidArgument: an SAE is named twice, or lies at another layer than asked for.
        """
        entry = self._models.get(model_id or self._default_model)
        model = entry.info.model_id
        self._check_in_use("models", [model])
        named = sae_ids if sae_ids is not None else (sae_id,) if sae_id else None
        if named is None:
            infos = self._offered(entry)
        else:
            infos = [self._judged(self.sae_entry(name), entry) for name in named]
            self._check_in_use("saes", named)
        self._check_fit(model, infos)
        if sae_layer is not None:
            infos = self._at_layer(model, infos, sae_layer, strict=named is not None)
        return model, tuple(info.sae_id for info in infos)

    def _offered(self, model: ModelEntry) -> list[SaeInfo]:
        gone = self._marks.deleted("saes")
        found = [e for e in self._saes.list(model.info.model_id) if e.info.sae_id not in gone]
        judged = [self._judged(entry, model) for entry in found]
        return [info for info in judged if info.verdict is not Verdict.BROKEN]

    def _judged(self, sae: SaeEntry, model: ModelEntry | None) -> SaeInfo:
        return replace(sae.info, verdict=self._marks.verdict(sae, model))

    def _check_in_use(self, kind: Kind, ids: Collection[str]) -> None:
        what, command = ("model", "model") if kind == "models" else ("SAE", "sae")
        for id in ids:
            if id in self._marks.deleted(kind):
                raise NotFound(
                    f"{what} {id} was deleted: restore it on the page of {what}s, or with "
                    f"`actiscope {command} restore {id}`",
                    id=id,
                )

    @staticmethod
    def _check_fit(model: str, infos: list[SaeInfo]) -> None:
        ids = [info.sae_id for info in infos]
        if len(set(ids)) < len(ids):
            raise InvalidArgument(f"an SAE is named twice: {', '.join(ids)}", sae_ids=ids)
        for info in infos:
            if info.model_id != model:
                raise Unsupported(
                    f"SAE {info.sae_id} was trained on {info.model_id}, not on {model}: its "
                    "features would mean nothing there",
                    sae_id=info.sae_id,
                    model_id=model,
                )

    @staticmethod
    def _at_layer(model: str, infos: list[SaeInfo], layer: int, strict: bool) -> list[SaeInfo]:
        at_layer = [info for info in infos if info.layer == layer]
        if strict and len(at_layer) < len(infos):
            layers = {info.sae_id: info.layer for info in infos}
            raise InvalidArgument(f"sae_layer is {layer}, but the SAEs lie at {layers}")
        if not at_layer:
            known = sorted({info.layer for info in infos})
            raise NotFound(f"{model} has no SAE at layer {layer}; there are some at {known}")
        return at_layer
