"""One feature as its page shows it: what is known, with intervals, and where it stands."""

from __future__ import annotations

from typing import Any

import numpy as np

from services.evidence.bounds import of_mean, wilson
from services.evidence.cache import Cache
from services.evidence.facts import facts
from services.stores.features import one_feature
from services.stores.reading import Reading
from services.stores.requests import StoreFeatureQuery
from services.types import SaeInfo
from services.types.features import EvidenceSource, FeatureView

_WITHOUT_EXAMPLES = StoreFeatureQuery(examples=0, per_interval=0)


def view_without_store(sae: SaeInfo, feature: int) -> FeatureView:
    """Of an SAE that has read nothing yet."""
    return FeatureView(
        **_of_the_sae(sae, feature),
        source=None,
        known=None,
        density=None,
        document_density=None,
        mean=None,
        density_rank=None,
        n_live=None,
        regions=(),
        warnings=(),
        previous=feature - 1 if feature else None,
        next=feature + 1 if feature + 1 < sae.d_sae else None,
    )


def view_of(
    reading: Reading, sae: SaeInfo, feature: int, source: EvidenceSource, cache: Cache
) -> FeatureView:
    """Of an SAE with a store, complete or not."""
    known = cache.get(
        reading, ("known", feature), lambda: one_feature(reading, feature, _WITHOUT_EXAMPLES)
    )
    shape = cache.get(reading, ("facts", feature), lambda: facts(reading, feature))
    counts = reading.counts
    live = np.flatnonzero(counts)
    place = int(np.searchsorted(live, feature))
    after = place + (not known.is_dead)
    return FeatureView(
        **_of_the_sae(sae, feature),
        source=source,
        known=known,
        density=wilson(known.n, source.n_counted),
        document_density=wilson(known.n_documents, source.n_documents),
        mean=of_mean(known.mean, known.std, known.n),
        density_rank=None if known.is_dead else int((counts > known.n).sum()) + 1,
        n_live=len(live),
        regions=shape.regions,
        warnings=shape.warnings,
        previous=int(live[place - 1]) if place else None,
        next=int(live[after]) if after < len(live) else None,
    )


def _of_the_sae(sae: SaeInfo, feature: int) -> dict[str, Any]:
    return {
        "sae_id": sae.sae_id,
        "feature_id": feature,
        "model_id": sae.model_id,
        "hook_name": sae.hook_name,
        "d_sae": sae.d_sae,
    }
