"""Tests of features on somebody's own text, as pages and REST use them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial

from services.errors import NotFound, TooLarge
from services.probes.engine import ask
from services.probes.reading import TextReader
from services.probes.requests import TestText
from services.registry.fresh import model_files, sae_files
from services.runs.catalogue import Catalogue
from services.runs.worker import EngineWorker
from services.settings import Settings
from services.types.features import TestedText
from services.types.probes import FiringFeatures

_KEPT = 32  # texts whose firing features are remembered


class Probes:
    """Test a feature on a text, and find what fires there."""

    def __init__(
        self, settings: Settings, catalogue: Catalogue, reader: TextReader, worker: EngineWorker
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._reader = reader
        self._worker = worker
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, str], FiringFeatures] = OrderedDict()

    def test(self, request: TestText) -> TestedText:
        """The feature's exact value at every token of the text; waits for the engine.

        Raises:
            NotFound: there is no such SAE, feature, or model for it.
            TooLarge, InvalidArgument: the text is longer than this server or the model reads.
            Unsupported: the SAE does not fit the model.
            Busy: the engine has no time for it.
        """
        self._check_feature(request.sae_id, request.feature_id)
        self._check_length(request.text)
        given = (request.sae_id, request.feature_id, request.text, request.read_as)
        return ask(self._worker, partial(self._reader.test, *given))

    def fires(self, sae_id: str, text: str) -> FiringFeatures:
        """The features that fire at a token of the text that is not special, read as a document.

        The last few answers are remembered while the weights stay the same. Raises as `test`.
        """
        self._check_length(text)
        key = (sae_id, self._weights(sae_id), text)
        with self._lock:
            if (known := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return known
        found = ask(self._worker, partial(self._reader.fires, sae_id, text))
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    def _weights(self, sae_id: str) -> str:
        """What the SAE and its model are now, as far as values depend on them."""
        sae = self._catalogue.sae_entry(sae_id)
        return f"{sae_files(sae)} {model_files(self._catalogue.model_entry(sae.info.model_id))}"

    def _check_feature(self, sae_id: str, feature_id: int) -> None:
        d_sae = self._catalogue.sae_entry(sae_id).info.d_sae
        if feature_id >= d_sae:
            raise NotFound(
                f"SAE {sae_id} has no feature {feature_id}; there are 0 to {d_sae - 1}",
                sae_id=sae_id,
                feature_id=feature_id,
            )

    def _check_length(self, text: str) -> None:
        most = self._settings.max_prompt_chars
        if len(text) > most:
            raise TooLarge(
                f"the text has {len(text)} characters; this server reads at most {most} "
                "(ACTISCOPE_MAX_PROMPT_CHARS)",
                field="text",
            )
