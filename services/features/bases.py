"""Bases that are kept in memory: made once for each version of a store and a decoder's table."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from services.decoder.service import Decoders
from services.decoder.table import DecoderTable
from services.features.basis import Basis, DecoderColumns, decoder_columns, store_numbers
from services.features.texts import WAIT_S, FeatureTexts, TextTable
from services.stores.reading import Reading
from services.types.features import EvidenceSource

_KEPT = 4  # some 250 MB each at 131,072 features, after a search

_Key = tuple[str, str | None, int, Path | None, bool]


class Bases:
    """The columns of the SAEs that were asked for last."""

    def __init__(self, decoders: Decoders, texts: FeatureTexts) -> None:
        self._decoders, self._texts = decoders, texts
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, Basis] = OrderedDict()
        self._decoder_columns: OrderedDict[Path, DecoderColumns] = OrderedDict()
        self._making: dict[str, threading.Lock] = {}  # by SAE: the same is not made twice at once

    def get(
        self, sae_id: str, d_sae: int, reading: Reading | None, source: EvidenceSource | None
    ) -> Basis:
        """The columns as store and decoder are now."""
        with self._lock:
            making = self._making.setdefault(sae_id, threading.Lock())
        with making:
            decoder = self._decoders.get(sae_id)
            if (known := self._known(_key(sae_id, reading, decoder, True))) is not None:
                return known
            key = _key(sae_id, reading, decoder, False)
            known = self._known(key)
            texts = None
            if reading is not None:  # who has waited once gets what there is
                texts = self._texts.soon(reading, WAIT_S if known is None else 0)
            if known is None or texts is not None:
                known = self._made(sae_id, d_sae, reading, source, decoder, texts)
                self._keep((*key[:-1], texts is not None), known)
            return known

    def is_gathering(self, basis: Basis) -> bool:
        """Whether its texts will be there in a moment."""
        source = basis.source
        return basis.texts is None and source is not None and self._texts.is_making(source.store_id)

    def _made(
        self,
        sae_id: str,
        d_sae: int,
        reading: Reading | None,
        source: EvidenceSource | None,
        decoder: DecoderTable | None,
        texts: TextTable | None,
    ) -> Basis:
        numbers = {} if reading is None else store_numbers(reading)
        if decoder is None or decoder.info.d_sae != d_sae:
            return Basis(sae_id, d_sae, source, numbers, texts)
        written, promoted, neighbours = self._written(decoder)
        return Basis(sae_id, d_sae, source, numbers | written, texts, promoted, neighbours)

    def _written(self, decoder: DecoderTable) -> DecoderColumns:
        """The decoder's columns: they stay while a store fills."""
        with self._lock:
            known = self._decoder_columns.get(decoder.path)
        if known is None:
            known = decoder_columns(decoder)
            with self._lock:
                self._decoder_columns[decoder.path] = known
                while len(self._decoder_columns) > _KEPT:
                    self._decoder_columns.popitem(last=False)
        return known

    def _known(self, key: _Key) -> Basis | None:
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
            return found

    def _keep(self, key: _Key, basis: Basis) -> None:
        with self._lock:
            for other in [k for k in self._kept if k[:2] == key[:2]]:
                del self._kept[other]  # of an earlier version
            self._kept[key] = basis
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def _key(
    sae_id: str, reading: Reading | None, decoder: DecoderTable | None, has_texts: bool
) -> _Key:
    path = None if decoder is None else decoder.path
    if reading is None:
        return sae_id, None, 0, path, has_texts
    return sae_id, reading.store_id, reading.store.manifest.version, path, has_texts
