"""From which store statements about an SAE's features are made."""

from __future__ import annotations

from services.errors import InvalidArgument, NotFound
from services.extraction.requests import ExtractionQuery
from services.extraction.service import Extractions
from services.runs.catalogue import Catalogue
from services.stores.reading import Reading
from services.stores.service import Stores
from services.types import ExtractionView, SaeInfo
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
        if not 0 <= feature_id < sae.d_sae:
            raise NotFound(
                f"SAE {sae_id} has no feature {feature_id}: its features are 0 to {sae.d_sae - 1}",
                feature_id=feature_id,
                d_sae=sae.d_sae,
            )
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
        view = self._newest(sae_id)
        return None if view is None else view.extraction_id

    def get(self, sae_id: str, store_id: str | None = None) -> EvidenceSource | None:
        """What `store_id` says, as it is shown."""
        chosen = self.store_id(sae_id, store_id)
        return None if chosen is None else self.of(chosen)

    def of(self, store_id: str) -> EvidenceSource:
        """The store, as it is shown."""
        return self._stores.read(store_id, self._source)

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

    def _newest(self, sae_id: str) -> ExtractionView | None:
        views = self._extractions.list(ExtractionQuery(sae_id=sae_id, limit=200)).items
        readable = [view for view in views if view.has_store]
        return next((v for v in readable if v.is_complete), next(iter(readable), None))

    def _check(self, sae_id: str, store_id: str) -> None:
        self.sae(sae_id)
        of = self._stores.open(store_id).spec.sae_id
        if of != sae_id:
            raise InvalidArgument(
                f"store {store_id} is of SAE {of or '(none)'}, not of {sae_id}",
                store_id=store_id,
                sae_id=sae_id,
            )
