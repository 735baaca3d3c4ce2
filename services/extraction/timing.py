"""The speed of model and SAEs, measured for a moment while nobody else uses them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING

from services.errors import ActiscopeError
from services.extraction.checking import Chosen
from services.extraction.parts import Parts

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel
    from services.sae.loader import Sae

log = logging.getLogger(__name__)

_MOST_S, _WAIT_S = 0.8, 1.5
_LEAST_TOKENS = 64


def time_windows(
    parts: Parts, chosen: Chosen, documents: Sequence[Sequence[int]], context: int
) -> float | None:
    """Tokens per second over a few windows; None where model or SAEs are not in memory, or the
    engine is in use.
    """
    if parts.worker.waiting or not _is_loaded(parts, chosen):
        return None
    windows = [list(ids[:context]) for ids in documents if ids]
    future = parts.worker.between(lambda: _tokens_per_s(parts, chosen, windows))
    try:
        return future.result(_WAIT_S)
    except NotYet:
        future.cancel()
    except ActiscopeError as error:
        log.info("the speed of %s cannot be measured: %s", chosen.model_id, error)
    return None


def _is_loaded(parts: Parts, chosen: Chosen) -> bool:
    loaded = parts.residents.loaded()
    sae_ids = {sae.info.sae_id for sae in chosen.saes}
    return chosen.model_id in loaded["models"] and sae_ids <= set(loaded["saes"])


def _tokens_per_s(parts: Parts, chosen: Chosen, windows: Sequence[Sequence[int]]) -> float | None:
    """In the engine's thread, for a moment; the first window warms up."""
    lm = parts.residents.model(chosen.model_id)
    saes = [parts.residents.sae(sae.info.sae_id) for sae in chosen.saes]
    n_tokens, seconds, began = 0, 0.0, time.monotonic()
    for i, window in enumerate(windows):
        start = time.monotonic()
        _read(lm, saes, window)
        if i:
            n_tokens, seconds = n_tokens + len(window), seconds + time.monotonic() - start
        if time.monotonic() - began > _MOST_S:
            break
    return n_tokens / seconds if n_tokens >= _LEAST_TOKENS else None


def _read(lm: LanguageModel, saes: Sequence[Sae], window: Sequence[int]) -> None:
    import torch

    from services.lm.capture import capture

    with torch.inference_mode():
        activations = capture(lm, window, list({sae.capture_name: None for sae in saes}))
        for sae in saes:
            sae.encode(activations[sae.capture_name])
