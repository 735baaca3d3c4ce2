"""The registry, as pages, REST and the command line use it.

Reading answers at once. What takes a while is a task: started here, followed by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.errors import NotFound
from services.lm.memory import model_bytes
from services.lm.weight_files import read_json
from services.registry import adding_models, adding_saes, looking, measuring, removing
from services.registry.cards import Sight, matching, model_cards, sae_cards
from services.registry.parts import Parts
from services.registry.requests import AddModel, AddSaes, LookRequest, SaeQuery
from services.runs.catalogue import Kind
from services.sae.config import CONFIG
from services.types import (
    Candidate,
    CataloguePage,
    EntryState,
    ModelCard,
    PreflightReport,
    SaeCard,
    TaskView,
)


class Registry:
    """Register, list, measure and remove models and SAEs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def is_offline(self) -> bool:
        """Whether nothing is downloaded."""
        return self._parts.settings.offline

    # Models

    def models(self, include_deleted: bool = False) -> tuple[ModelCard, ...]:
        """Every model with the SAEs that are for it, the default one first."""
        cards = model_cards(self._parts.models, self._parts.saes, self._sight()).values()
        shown = [c for c in cards if include_deleted or c.state is not EntryState.DELETED]
        default = self._parts.default_model
        return tuple(sorted(shown, key=lambda c: (c.info.model_id != default, c.info.model_id)))

    def model(self, model_id: str) -> ModelCard:
        """The model.

        Raises:
            NotFound: there is none.
        """
        cards = {card.info.model_id: card for card in self.models(include_deleted=True)}
        return _found(cards, model_id, "model")

    def add_model(self, request: AddModel) -> TaskView:
        """Register a model; an equal request under way is answered with its task.

        Raises:
            InvalidArgument: a folder that may not be read.
            Busy: too many tasks are under way.
        """
        return adding_models.add(self._parts, request)

    def load_model(self, model_id: str) -> TaskView:
        """Bring the model into memory."""
        return measuring.load(self._parts, self.model(model_id))

    def unload_model(self, model_id: str) -> ModelCard:
        """Take the model out of memory.

        Raises:
            Conflict: it is in use.
        """
        self.model(model_id)
        self._parts.residents.unload_model(model_id)
        return self.model(model_id)

    def delete_model(self, model_id: str, with_files: bool = False) -> None:
        """Offer the model no more; with its files, forget it altogether.

        Raises:
            Conflict: it is in use, or (with files) something depends on it; the message lists what.
        """
        removing.remove_model(self._parts, self.model(model_id), with_files)

    def restore_model(self, model_id: str) -> ModelCard:
        """Offer a deleted model again."""
        removing.restore(self._parts, "models", model_id, self.model(model_id).state)
        return self.model(model_id)

    # SAEs

    def saes(self, query: SaeQuery | None = None) -> tuple[SaeCard, ...]:
        """The SAEs that pass the filters, by model, layer and id; reports without their curves."""
        cards = self._sae_cards()
        measuring.refresh(self._parts, cards.values())
        return tuple(matching(cards, query or SaeQuery()))

    def sae(self, sae_id: str) -> SaeCard:
        """The SAE.

        Raises:
            NotFound: there is none.
        """
        card: SaeCard = _found(self._sae_cards(), sae_id, "SAE")
        measuring.refresh(self._parts, [card])
        if card.preflight is None:
            return card
        return replace(card, preflight=self._parts.store.preflight(card.preflight.preflight_id))

    def sae_config(self, sae_id: str) -> Mapping[str, Any]:
        """Its `cfg.json`."""
        self.sae(sae_id)
        return read_json(self._parts.saes.get(sae_id).path / CONFIG)

    def look(self, request: LookRequest) -> tuple[Candidate, ...]:
        """The SAEs of a folder or repository that could be added, and what cannot, with reasons.

        Raises:
            InvalidArgument: a folder that may not be read.
            Unsupported: there is no SAE; the message says what was found and what is accepted.
            Unavailable: the hub cannot be reached.
        """
        return looking.look(self._parts, request)

    def add_saes(self, request: AddSaes) -> TaskView:
        """Register SAEs and measure them; an equal request under way is answered with its task.

        Raises:
            InvalidArgument: a folder that may not be read, or a value that contradicts another.
            NotFound: no such model or catalogue entry.
            Busy: too many tasks are under way.
        """
        return adding_saes.add(self._parts, request)

    def preflight(self, sae_id: str, model_id: str | None = None) -> TaskView:
        """Measure the SAE with its model, or with another one.

        Raises:
            NotFound: there is no such SAE or model.
            Busy: too many tasks are under way.
        """
        return measuring.start(self._parts, self.sae(sae_id), model_id)

    def preflights(self, sae_id: str) -> tuple[PreflightReport, ...]:
        """What was measured of the SAE, newest first."""
        self.sae(sae_id)
        return tuple(self._parts.store.history(sae_id))

    def delete_sae(self, sae_id: str, with_files: bool = False) -> None:
        """Offer the SAE no more; with its files, forget it altogether.

        Raises:
            Conflict: it is in use, or (with files) something depends on it; the message lists what.
        """
        removing.remove_sae(self._parts, self.sae(sae_id), with_files)

    def restore_sae(self, sae_id: str) -> SaeCard:
        """Offer a deleted SAE again."""
        removing.restore(self._parts, "saes", sae_id, self.sae(sae_id).state)
        return self.sae(sae_id)

    def dependents(self, kind: Kind, id: str) -> tuple[str, ...]:
        """What would miss it: one sentence each."""
        return removing.dependents(self._parts, kind, id)

    # sae-lens' catalogue

    def search(self, text: str, limit: int = 50, offset: int = 0) -> CataloguePage:
        """Entries of sae-lens' list of pretrained SAEs, best first; works offline."""
        return self._parts.directory.search(text, limit=limit, offset=offset)

    # Tasks

    def task(self, task_id: str) -> TaskView:
        """The task.

        Raises:
            NotFound: there is none, or it ended long ago.
        """
        return self._parts.tasks.get(task_id)

    def tasks(self) -> tuple[TaskView, ...]:
        """All that are remembered, newest first."""
        return self._parts.tasks.all()

    def cancel(self, task_id: str) -> TaskView:
        """Stop the task; what it has registered stays."""
        return self._parts.tasks.cancel(task_id)

    def wait(self, task_id: str, timeout_s: float | None = None) -> TaskView:
        """The task once it is final, or after `timeout_s`."""
        return self._parts.tasks.wait(task_id, timeout_s)

    # Background

    def measure_demo(self) -> None:
        """Measure the demo's SAEs when nobody has; errors are logged, nothing is raised."""
        measuring.measure_demo(self._parts)

    def close(self) -> None:
        """Cancel what is under way."""
        self._parts.tasks.close()

    # Inside

    def _sight(self) -> Sight:
        parts = self._parts
        dtype = str(parts.residents.describe()["dtype"])  # what `auto` has become, once it is known
        return Sight(
            known=parts.index.known(),
            resident=parts.residents.loaded(),
            budget_bytes=parts.residents.budget(),
            model_bytes=lambda info: model_bytes(info, dtype),
        )

    def _sae_cards(self) -> dict[str, SaeCard]:
        models = {entry.info.model_id: entry for entry in self._parts.models.list()}
        return sae_cards(self._parts.saes, models, self._sight())


def _found(cards: dict[str, Any], id: str, what: str) -> Any:
    if id not in cards:
        known = ", ".join(sorted(cards)[:20]) or "none"
        raise NotFound(f"there is no {what} {id[:200]!r}; there is: {known}", id=id[:200])
    return cards[id]
