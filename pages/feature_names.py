"""What the features of an SAE are called, wherever a page names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pages.context import services


def names_of(sae_id: str, features: Iterable[int]) -> Mapping[int, str]:
    """The chosen labels of these features, of those that have one."""
    return services().labels.texts(sae_id, list(features))
