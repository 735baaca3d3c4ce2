"""The evidence about a feature, as pages, REST and the command line use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from services.decoder.service import Decoders
from services.errors import NotFound
from services.evidence.breakdown import breakdown
from services.evidence.cache import Cache
from services.evidence.choosing import page, within
from services.evidence.contexts import Contexts
from services.evidence.intervals import intervals
from services.evidence.overview import Families, as_document, gathered
from services.evidence.overview_markdown import as_markdown
from services.evidence.related import Lines, named, neighbours, partners
from services.evidence.requests import (
    BreakdownQuery,
    ExamplesQuery,
    IntervalsQuery,
    OverviewQuery,
    RelatedQuery,
    TokensQuery,
    ViewQuery,
)
from services.evidence.tf_idf import best_tokens
from services.evidence.tokens import tokens
from services.evidence.view import view_of, view_without_store
from services.extraction.sources import Sources
from services.features.token_counts import TokenCounts
from services.store import Selection
from services.store.statistics.coactivation import Measure
from services.stores.reading import Reading
from services.stores.selecting import where
from services.stores.service import Stores
from services.types import DecoderFeature, FeatureNeighbour
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

    def __init__(
        self,
        sources: Sources,
        stores: Stores,
        decoders: Decoders,
        lines: Lines,
        counts: Callable[[Reading], TokenCounts | None],
        families: Families,
    ) -> None:
        self._sources, self._stores, self._decoders = sources, stores, decoders
        self._lines, self._counts, self._families = lines, counts, families
        self._contexts = Contexts()
        self._cache, self._large = Cache(256), Cache(16)

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
        return self._read(query, lambda reading: self._intervals(reading, query))

    def require(self, sae_id: str, feature_id: int) -> None:
        """NotFound, which says which features there are, unless the SAE has this one."""
        self._sources.feature(sae_id, feature_id)

    def decoder(self, sae_id: str, feature_id: int) -> DecoderFeature | None:
        """Logit weights and neighbours; None where no extraction has looked at the decoder yet."""
        self._sources.feature(sae_id, feature_id)
        table = self._decoders.get(sae_id)
        return None if table is None else table.feature(feature_id)

    def related(self, query: RelatedQuery) -> tuple[RelatedFeature, ...]:
        """Other features of the SAE, the most related first.

        Raises:
            NotFound: by cosine, where no extraction has looked at the decoder yet.
            Unavailable: by another measure, while the store fills.
        """
        sae = self._sources.feature(query.sae_id, query.feature_id)
        store_id = self._sources.store_id(query.sae_id, query.store_id)
        if query.by == "cosine":
            near = self._decoders.require(sae.sae_id).feature(query.feature_id).neighbours
            found = self._beside(store_id, near[: query.limit], query.feature_id)
        else:
            found = self._together(query, query.by)
        ids = [other.feature_id for other in found]
        return named(found, self._lines(query.sae_id, ids, store_id))

    def tokens(self, query: TokensQuery) -> FeatureTokens:
        """Which tokens the feature fires at, which stand before and after, and PageRank."""
        return self._read(query, lambda reading: self._tokens(reading, query))

    def breakdown(self, query: BreakdownQuery) -> tuple[MetadataGroup, ...]:
        """The feature by the values of a metadata column, the highest density first.

        Raises:
            InvalidArgument: there is no such column.
        """
        return self._read(query, lambda reading: breakdown(reading, query))

    def overview(self, query: OverviewQuery) -> str | dict[str, Any]:
        """Everything in brief: Markdown, or JSON values."""
        sae = self._sources.feature(query.sae_id, query.feature_id)
        store_id = self._sources.store_id(query.sae_id, query.store_id)
        line = self._lines(query.sae_id, [query.feature_id], store_id)[query.feature_id]
        health = None if store_id is None else self._stores.health(store_id)
        found = gathered(self, query, sae, line.marks, health, self._families)
        return as_document(found) if query.format == "json" else as_markdown(found)

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

    def _intervals(self, reading: Reading, query: IntervalsQuery) -> tuple[EvidenceInterval, ...]:
        counts = self._counts(reading) if query.tokens else None
        score = partial(best_tokens, reading, counts)
        return intervals(reading, query, self._contexts, score)

    def _tokens(self, reading: Reading, query: TokensQuery) -> FeatureTokens:
        return self._cache.get(
            reading, query, lambda: tokens(reading, query, self._counts(reading))
        )

    def _beside(
        self, store_id: str | None, near: Sequence[FeatureNeighbour], feature: int
    ) -> list[RelatedFeature]:
        if store_id is None:
            return neighbours(near, None, feature)
        return self._stores.read(store_id, lambda reading: neighbours(near, reading, feature))

    def _together(self, query: RelatedQuery, by: Measure) -> list[RelatedFeature]:
        return self._read(
            query,
            lambda reading: partners(reading, query.feature_id, by, query.limit, self._large),
        )

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
