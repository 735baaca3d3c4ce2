"""The numbers of an SAE's features."""

from __future__ import annotations

from services.errors import NotFound


def require_feature(sae_id: str, feature_id: int, d_sae: int) -> None:
    """Do nothing for a feature that the SAE has.

    Raises:
        NotFound: it has none of this number; the message says which there are.
    """
    if not 0 <= feature_id < d_sae:
        raise NotFound(
            f"SAE {sae_id[:200]} has no feature {feature_id}: its features are 0 to {d_sae - 1}",
            sae_id=sae_id[:200],
            feature_id=feature_id,
            d_sae=d_sae,
        )
