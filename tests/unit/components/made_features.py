"""A feature with all that its page shows."""

from __future__ import annotations

from typing import Any

from services.types.features import (
    ActivationRegion,
    Bounds,
    EvidenceExample,
    EvidenceSource,
    FeatureView,
    FeatureWarning,
)
from services.types.stores import StoreExample
from tests.unit.components.made_extractions import make_context, make_feature

SAE = "demo/l1-res"


def make_source(**values: Any) -> EvidenceSource:
    """A complete store; `values` replace single fields."""
    fields: dict[str, Any] = {
        "store_id": "ext_1",
        "corpus_id": "demo",
        "corpus_name": "Demo",
        "n_counted": 250_000,
        "n_documents": 900,
        "is_complete": True,
        "metadata": ("kind",),
    }
    return EvidenceSource(**{**fields, **values})


def make_view(**values: Any) -> FeatureView:
    """A feature that fires 3,000 times; `values` replace single fields."""
    fields: dict[str, Any] = {
        "sae_id": SAE,
        "feature_id": 12,
        "model_id": "actiscope-demo",
        "hook_name": "blocks.1.hook_resid_post",
        "d_sae": 1536,
        "source": make_source(),
        "known": make_feature(),
        "density": Bounds(0.0119, 0.0127),
        "document_density": Bounds(0.09, 0.11),
        "mean": Bounds(3.05, 3.15),
        "density_rank": 85,
        "n_live": 1426,
        "regions": (
            ActivationRegion("low", 0.1, 2.0, 2500, 2500 / 3000),
            ActivationRegion("core", 2.0, 6.0, 0, 0.0),
            ActivationRegion("peak", 6.0, 8.0, 500, 500 / 3000),
        ),
        "warnings": (FeatureWarning("mostly_low", "5 of 6 activations are low."),),
        "previous": 11,
        "next": 14,
    }
    return FeatureView(**{**fields, **values})


def make_example(tokens: tuple[str, ...] = ("<bos>", " the", " cat"), **values: Any) -> Any:
    """An activation of 8 at the last token; the first one is special."""
    numbers = (*(0.0 for _ in tokens[:-1]), 8.0)
    fields: dict[str, Any] = {
        "example": StoreExample(8.0, make_context(tokens, len(tokens) - 1, numbers)),
        "document": "a.py",
        "metadata": {"kind": "code"},
        "special": (True, *(False for _ in tokens[1:])),
    }
    return EvidenceExample(**{**fields, **values})
