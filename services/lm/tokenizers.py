"""Tokenizers without the weights of their models, for those who only count tokens."""

from __future__ import annotations

import threading
from typing import Any

from services.lm.catalogue import ModelEntry
from services.lm.folders import stamp

_KEPT = 4


class Tokenizers:
    """The last few that were asked for; one whose folder has changed is read again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[object, Any]] = {}

    def get(self, entry: ModelEntry) -> Any:
        """The tokenizer of a model.

        Raises:
            Unsupported: there is none that can be used.
        """
        from services.lm.loader import load_tokenizer

        model_id, current = entry.info.model_id, stamp(entry.path)
        with self._lock:
            seen, tokenizer = self._kept.pop(model_id, (None, None))
            if seen != current:
                tokenizer = load_tokenizer(entry)
            self._kept[model_id] = (current, tokenizer)
            for oldest in list(self._kept)[:-_KEPT]:
                del self._kept[oldest]
        return tokenizer
