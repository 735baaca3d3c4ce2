"""One preflight from loaded model and SAE to report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from services.types import PreflightReport

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel
    from services.sae.catalogue import SaeEntry
    from services.sae.loader import Sae

NOTHING_PUBLISHED: Mapping[str, float] = {}


def preflight(
    lm: LanguageModel,
    sae: Sae,
    entry: SaeEntry,
    *,
    published: Mapping[str, float] = NOTHING_PUBLISHED,
    trained_on_this: bool | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> PreflightReport | None:
    """Measure `sae` on the activations of `lm`; None when `should_stop` said so.

    `published` are figures as the publisher states them, by the names of the metrics;
    `trained_on_this` says whether the SAE was trained on this very model, None if unknown.
    `progress` is told the tokens read and how many there are. What is wrong with the pair is a
    finding, never an exception. The caller sees to it that nobody else uses the model meanwhile.
    """
    raise NotImplementedError
