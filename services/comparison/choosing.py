"""From which stores features are compared: by default of the same corpus, where there are such."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from services.comparison.requests import FeatureName
from services.comparison.streams import stream_key
from services.errors import InvalidArgument
from services.extraction.requests import ExtractionQuery
from services.extraction.service import Extractions
from services.extraction.sources import Sources
from services.stores.service import Stores

_LOOKED_AT = 100  # of the newest extractions of an SAE


class Choosing:
    """Which store of each SAE is read."""

    def __init__(self, sources: Sources, extractions: Extractions, stores: Stores) -> None:
        self._sources, self._extractions, self._stores = sources, extractions, stores

    def stores(
        self, features: Sequence[FeatureName], asked: Sequence[str]
    ) -> dict[str, str | None]:
        """The store of each SAE; None for those that have read no corpus yet.

        Raises:
            NotFound: there is no such SAE, feature or store.
            InvalidArgument: a store is of none of the SAEs, or two are of the same.
        """
        for name in features:
            self._sources.feature(*name)
        saes = list(dict.fromkeys(name.sae_id for name in features))
        chosen = self._asked(saes, asked)
        left = [sae_id for sae_id in saes if sae_id not in chosen]
        if left and (chosen or len(left) > 1):
            chosen |= self._alike(left, chosen)
        return {sae_id: chosen.get(sae_id) or self._sources.store_id(sae_id) for sae_id in saes}

    def _asked(self, saes: Sequence[str], asked: Sequence[str]) -> dict[str, str]:
        chosen: dict[str, str] = {}
        for store_id in asked:
            of = self._stores.open(store_id).spec.sae_id
            if of not in saes or of in chosen:
                why = "two stores of it are named" if of in chosen else "it is not compared"
                raise InvalidArgument(
                    f"store {store_id} is of SAE {of or '(none)'}: {why}", store_id=store_id
                )
            chosen[of] = store_id
        return chosen

    def _alike(self, saes: Sequence[str], chosen: dict[str, str]) -> dict[str, str]:
        """Stores with the same tokens as most of the others have."""
        keys = [self._key_of(store_id) for store_id in chosen.values()]
        offered = {sae_id: self._offered(sae_id) for sae_id in saes}
        having = Counter(key for keys_of in offered.values() for key in keys_of)
        wanted = keys or sorted(having, key=lambda key: -having[key])[:1]
        found = ((sae_id, offered[sae_id].get(key)) for sae_id in saes for key in wanted)
        return {sae_id: store_id for sae_id, store_id in found if store_id is not None}

    def _key_of(self, store_id: str) -> Any:
        provenance = self._stores.open(store_id).spec.provenance
        return stream_key(provenance.get("corpus_id"), provenance.get("plan"))

    def _offered(self, sae_id: str) -> dict[Any, str]:
        """The newest complete store for each way of making tokens, the newest first."""
        query = ExtractionQuery(sae_id=sae_id, limit=_LOOKED_AT)
        found: dict[Any, str] = {}
        for view in self._extractions.list(query).items:
            key = stream_key(view.corpus_id, view.config)
            if view.is_complete and key is not None:
                found.setdefault(key, view.extraction_id)
        return found
