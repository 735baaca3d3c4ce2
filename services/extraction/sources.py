"""From which store statements about an SAE's features are made."""

from __future__ import annotations

from contextlib import suppress

from services.errors import InvalidArgument, NotFound
from services.extraction.service import Extractions
from services.runs.catalogue import Catalogue
from services.sae.feature_ids import require_feature
from services.stores.reading import Reading
from services.stores.service import Stores
from services.types import SaeInfo
from services.types.features import EvidenceSource


class Sources:
    """The SAEs and their stores."""

    def __init__(self, stores: Stores, extractions: Extractions, catalogue: Catalogue) -> None:
        self._stores, self._extractions, self._catalogue = stores, extractions, catalogue

    def sae(self, sae_id: str) -> SaeInfo:
        """The SAE; NotFound when there is none."""
        return self._catalogue.sae_entry(sae_id).info

    def feature(self, sae_id: str, feature_id: int) -> SaeInfo:
        """The feature's SAE.

        Raises:
            NotFound: there is no such SAE or feature; the message says which there are.
        """
        sae = self.sae(sae_id)
        require_feature(sae_id, feature_id, sae.d_sae)
        return sae

    def store_id(self, sae_id: str, store_id: str | None = None) -> str | None:
        """The store that is asked for, or the SAE's newest one, complete ones first; None where
        it has none.

        Raises:
            NotFound: there is no such SAE or store.
            InvalidArgument: the store is of another SAE.
        """
        if store_id is not None:
            self._check(sae_id, store_id)
            return store_id
        self.sae(sae_id)
        with suppress(NotFound):
            return self._extractions.readable(sae_id).extraction_id
        return None

    def get(self, sae_id: str, store_id: str | None = None) -> EvidenceSource | None:
        """What `store_id` says, as it is shown; None also where the newest store is gone by now."""
        chosen = self.store_id(sae_id, store_id)
        if chosen is None:
            return None
        try:
            return self._stores.read(chosen, self._source)
        except NotFound:
            if store_id is not None:
                raise
            return None

    def _source(self, reading: Reading) -> EvidenceSource:
        store = reading.store
        corpus_id, corpus_name = self._corpus(reading)
        return EvidenceSource(
            store_id=reading.store_id,
            corpus_id=corpus_id,
            corpus_name=corpus_name,
            n_counted=store.n_counted,
            n_documents=store.n_documents,
            is_complete=store.complete,
            metadata=tuple(store.spec.metadata),
        )

    def _corpus(self, reading: Reading) -> tuple[str, str]:
        try:
            view = self._extractions.get(reading.store_id)
        except NotFound:  # a store that was put in place by hand
            corpus_id = str(reading.store.spec.provenance.get("corpus_id", ""))
            return corpus_id, corpus_id
        return view.corpus_id, view.corpus_name

    def _check(self, sae_id: str, store_id: str) -> None:
        d_sae = self.sae(sae_id).d_sae
        spec = self._stores.open(store_id).spec
        if spec.d_sae != d_sae or spec.sae_id not in ("", sae_id):
            raise InvalidArgument(
                f"store {store_id} is of {spec.sae_id or 'an SAE without a name'} with "
                f"{spec.d_sae} features, not of SAE {sae_id} with {d_sae}",
                store_id=store_id,
                sae_id=sae_id,
            )
