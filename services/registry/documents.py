"""Cards, reports and tasks as JSON values, the same for REST and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from services.types import (
    Candidate,
    CatalogueEntry,
    CataloguePage,
    ModelCard,
    ModelInfo,
    PreflightReport,
    SaeCard,
    SaeInfo,
    TaskView,
)


def model_document(card: ModelCard) -> dict[str, Any]:
    """A model's card: the fields of the model, then those of its registration."""
    own = asdict(card)
    del own["info"]
    return model_info_document(card.info) | _dated(own) | {"fits": card.fits}


def model_info_document(info: ModelInfo) -> dict[str, Any]:
    """A model with its SAEs."""
    return asdict(info) | {"saes": [sae_info_document(sae) for sae in info.saes]}


def sae_document(card: SaeCard) -> dict[str, Any]:
    """An SAE's card: the fields of the SAE, then those of its registration and preflight."""
    own = asdict(card)
    del own["info"]
    preflight = preflight_document(card.preflight) if card.preflight else None
    return sae_info_document(card.info) | _dated(own) | {"preflight": preflight}


def sae_info_document(info: SaeInfo) -> dict[str, Any]:
    """An SAE with its address on Neuronpedia."""
    return asdict(info) | {"neuronpedia_url": info.neuronpedia_url()}


def preflight_document(report: PreflightReport) -> dict[str, Any]:
    """A preflight, complete."""
    return _dated(asdict(report))


def candidate_document(candidate: Candidate) -> dict[str, Any]:
    """Something that could be added, or why it cannot."""
    return asdict(candidate)


def catalogue_document(page: CataloguePage) -> dict[str, Any]:
    """A page of sae-lens' catalogue."""
    return {
        "items": [entry_document(entry) for entry in page.items],
        "total": page.total,
        "suggestion": page.suggestion,
    }


def entry_document(entry: CatalogueEntry) -> dict[str, Any]:
    """An entry of sae-lens' catalogue with its address on Neuronpedia."""
    return asdict(entry) | {"neuronpedia_url": entry.neuronpedia_url()}


def task_document(task: TaskView) -> dict[str, Any]:
    """A task as it stands."""
    return _dated(asdict(task))


def _dated(values: dict[str, Any]) -> dict[str, Any]:
    """With moments as text."""
    return {
        name: value.isoformat() if name.endswith("_at") and value is not None else value
        for name, value in values.items()
    }
