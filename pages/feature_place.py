"""What the sections of a feature's page have in common: the feature that they are about."""

from __future__ import annotations

from typing import Any

from pages.context import services
from pages.feature_state import Place
from services.errors import NotFound
from services.evidence.requests import ViewQuery
from services.types.features import FeatureView


def view_at(place: Any) -> FeatureView | None:
    """The feature of the place; None where there is none: the head says so."""
    try:
        return required_at(place)
    except NotFound:
        return None


def required_at(place: Any) -> FeatureView | None:
    """The feature of the place; None where the address names none.

    Raises:
        NotFound: there is no such SAE, feature or store.
    """
    at = Place.parse(place)
    if at.named is None:
        return None
    sae_id, feature_id = at.named
    asked = {"sae_id": sae_id, "feature_id": feature_id, "store_id": at.store}
    return services().evidence.view(ViewQuery.parse(asked))


def live_at(place: Any) -> FeatureView | None:
    """The same, where there are activations to show; None otherwise: the head says why."""
    view = view_at(place)
    return view if view is not None and view.known is not None and not view.known.is_dead else None


def asked_of(view: FeatureView, **parameters: Any) -> dict[str, Any]:
    """Parameters of a question about the feature, to the store that its page shows."""
    store_id = None if view.source is None else view.source.store_id
    return {
        "sae_id": view.sae_id,
        "feature_id": view.feature_id,
        "store_id": store_id,
        **parameters,
    }
