"""Which models and SAEs a run may name: folders under the demo and under the data folder."""

from __future__ import annotations

from dataclasses import replace

from services.errors import InvalidArgument, NotFound, Unsupported
from services.lm.catalogue import ModelCatalogue, ModelEntry
from services.sae.catalogue import SaeCatalogue, SaeEntry
from services.types import ModelInfo, SaeInfo


class Catalogue:
    """Models with the SAEs that fit them."""

    def __init__(self, models: ModelCatalogue, saes: SaeCatalogue, default_model: str) -> None:
        self._models = models
        self._saes = saes
        self._default_model = default_model

    def models(self) -> tuple[ModelInfo, ...]:
        """Every model with its SAEs, the default one first."""
        infos = [
            replace(entry.info, saes=tuple(e.info for e in self._saes.list(entry.info.model_id)))
            for entry in self._models.list()
        ]
        infos.sort(key=lambda info: (info.model_id != self._default_model, info.model_id))
        return tuple(infos)

    def sae(self, sae_id: str) -> SaeInfo:
        """The SAE of that id.

        Raises:
            NotFound: there is none; the message lists those that are there.
        """
        return self.sae_entry(sae_id).info

    def sae_entry(self, sae_id: str) -> SaeEntry:
        """The SAE with its place on disk."""
        return self._saes.get(sae_id)

    def model_entry(self, model_id: str) -> ModelEntry:
        """The model with its place on disk."""
        return self._models.get(model_id)

    def problems(self) -> tuple[tuple[str, str], ...]:
        """Folders that hold no usable model or SAE, each with the reason."""
        found = (*self._models.problems(), *self._saes.problems())
        return tuple((problem.id, problem.reason) for problem in found)

    def resolve(
        self,
        model_id: str | None,
        sae_ids: tuple[str, ...] | None,
        sae_id: str | None,
        sae_layer: int | None,
    ) -> tuple[str, tuple[str, ...]]:
        """The model and SAEs that a request means; what it does not name is the default.

        Raises:
            NotFound: no such model or SAE.
            Unsupported: an SAE was made for another model.
            InvalidArgument: an SAE is named twice, or lies at another layer than asked for.
        """
        model = self._models.get(model_id or self._default_model).info.model_id
        named = sae_ids if sae_ids is not None else (sae_id,) if sae_id else None
        if named is None:
            infos = [entry.info for entry in self._saes.list(model)]
        else:
            infos = [self.sae(name) for name in named]
        self._check_fit(model, infos)
        if sae_layer is not None:
            infos = self._at_layer(model, infos, sae_layer, strict=named is not None)
        return model, tuple(info.sae_id for info in infos)

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
