"""The evidence about a feature, as pages, REST and the command line use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from services.decoder.service import Decoders
from services.errors import NotFound
from services.evidence.cache import Cache
from services.evidence.choosing import page, within
from services.evidence.contexts import Contexts
from services.evidence.intervals import intervals
from services.evidence.requests import (
    BreakdownQuery,
    ExamplesQuery,
    IntervalsQuery,
    OverviewQuery,
    RelatedQuery,
    TokensQuery,
    ViewQuery,
)
from services.evidence.sources import Sources
from services.evidence.view import view_of, view_without_store
from services.store import Selection
from services.stores.reading import Reading
from services.stores.selecting import where
from services.stores.service import Stores
from services.types import DecoderFeature
from services.types.features import (
    EvidenceInterval,
    ExamplesPage,
    FeatureTokens,
    FeatureView,
    MetadataGroup,
    RelatedFeature,
)

T = TypeVar("T")


class Evidence:
    """What the stores and the decoder say about a feature. Safe for many threads.

    From every method: NotFound for an SAE, a feature or a store that there is not, and, but for
    `view` and `decoder`, where the SAE has no store yet.
    """

    def __init__(self, sources: Sources, stores: Stores, decoders: Decoders) -> None:
        self._sources, self._stores, self._decoders = sources, stores, decoders
        self._contexts, self._cache = Contexts(), Cache(256)

    def view(self, query: ViewQuery) -> FeatureView:
        """The feature's statistics with their intervals, regions and warnings."""
        sae = self._sources.feature(query.sae_id, query.feature_id)
        source = self._sources.get(query.sae_id, query.store_id)
        if source is None:
            return view_without_store(sae, query.feature_id)
        return self._stores.read(
            source.store_id,
            lambda reading: view_of(reading, sae, query.feature_id, source, self._cache),
        )

    def examples(self, query: ExamplesQuery) -> ExamplesPage:
        """Activations in their text: a page of all of them, in the order asked for.

        Raises:
            InvalidArgument: a cursor of another order; `where` names no column of the documents.
        """
        return self._read(query, lambda reading: self._examples(reading, query))

    def intervals(self, query: IntervalsQuery) -> tuple[EvidenceInterval, ...]:
        """Equal parts of the range of activations with examples from each, the strongest first;
        none of a dead feature.
        """
        return self._read(
            query,
            lambda reading: intervals(reading, query, self._contexts, lambda examples, n: ()),
        )

    def decoder(self, sae_id: str, feature_id: int) -> DecoderFeature | None:
        """Logit weights and neighbours; None where no extraction has looked at the decoder yet."""
        self._sources.feature(sae_id, feature_id)
        table = self._decoders.get(sae_id)
        return None if table is None else table.feature(feature_id)

    def related(self, query: RelatedQuery) -> tuple[RelatedFeature, ...]:
        """Other features of the SAE, the most related first.

        Raises:
            Unavailable: the store fills; co-activation is known once it is complete.
        """
        raise NotImplementedError

    def tokens(self, query: TokensQuery) -> FeatureTokens:
        """Which tokens the feature fires at, which stand before and after, and PageRank."""
        raise NotImplementedError

    def breakdown(self, query: BreakdownQuery) -> tuple[MetadataGroup, ...]:
        """The feature by the values of a metadata column, the highest density first.

        Raises:
            InvalidArgument: there is no such column.
        """
        raise NotImplementedError

    def overview(self, query: OverviewQuery) -> str | dict[str, Any]:
        """Everything in brief: Markdown, or JSON values."""
        raise NotImplementedError

    def _examples(self, reading: Reading, query: ExamplesQuery) -> ExamplesPage:
        store, found = reading.store, reading.store.feature(query.feature_id)
        passing = within(found, query.low, query.high)
        chosen = where(query.columns, store.spec)
        if chosen is not None:
            selector = store.selector(Selection(where=chosen))
            passing &= selector.mask(found.positions, found.values)
        some = page(found, passing, query.order, query.seed, query.limit, query.cursor)
        shown = (some.positions, some.values)
        items = self._contexts.examples(reading, found, *shown, query.width)
        return ExamplesPage(items, some.total, some.next_cursor)

    def _read(
        self,
        query: ExamplesQuery | IntervalsQuery | RelatedQuery | TokensQuery | BreakdownQuery,
        work: Callable[[Reading], T],
    ) -> T:
        self._sources.feature(query.sae_id, query.feature_id)
        store_id = self._sources.store_id(query.sae_id, query.store_id)
        if store_id is None:
            raise NotFound(
                f"SAE {query.sae_id} has read no corpus yet: start an extraction "
                f"(`actiscope extract --sae {query.sae_id} --corpus …`, or the page Extractions)",
                sae_id=query.sae_id,
            )
        return self._stores.read(store_id, work)
