"""The speed of model and SAEs, measured for a moment while nobody else uses them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as NotYet

from services.errors import ActiscopeError
from services.extraction.checking import Chosen
from services.extraction.parts import Parts

log = logging.getLogger(__name__)

_MOST_S, _WAIT_S = 0.8, 1.5
_LEAST_TOKENS = 64


def time_windows(
    parts: Parts, chosen: Chosen, documents: Sequence[Sequence[int]], context: int
) -> float | None:
    """Tokens per second over a few windows; None where model or SAEs are not in memory, or the
    engine is in use.
    """
    loaded = parts.residents.loaded()
    sae_ids = [sae.info.sae_id for sae in chosen.saes]
    is_here = chosen.model_id in loaded["models"] and set(sae_ids) <= set(loaded["saes"])
    if not is_here or parts.worker.waiting:
        return None
    windows = [list(ids[:context]) for ids in documents if ids]

    def work() -> float | None:
        import torch

        from services.lm.capture import capture

        lm = parts.residents.model(chosen.model_id)
        saes = [parts.residents.sae(sae_id) for sae_id in sae_ids]
        names = list(dict.fromkeys(sae.capture_name for sae in saes))
        n_tokens, seconds, began = 0, 0.0, time.monotonic()
        for i, window in enumerate(windows):
            start = time.monotonic()
            with torch.inference_mode():
                activations = capture(lm, window, names)
                for sae in saes:
                    sae.encode(activations[sae.capture_name])
            if i:  # the first one warms up
                n_tokens, seconds = n_tokens + len(window), seconds + time.monotonic() - start
            if time.monotonic() - began > _MOST_S:
                break
        return n_tokens / seconds if n_tokens >= _LEAST_TOKENS else None

    future = parts.worker.between(work)
    try:
        return future.result(_WAIT_S)
    except NotYet:
        future.cancel()
    except ActiscopeError as error:
        log.info("the speed of %s cannot be measured: %s", chosen.model_id, error)
    return None
