"""The stores of this server by id: opened when they are asked for, live while they fill."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import fsspec
import pyarrow as pa

from services.errors import NotFound
from services.store import ActivationStore
from services.store.statistics.coactivation import Partners
from services.stores import activations, contexts, documents, features, search
from services.stores.arrow import RecordStream
from services.stores.damage import SYMPTOMS, damage
from services.stores.opened import OpenStores
from services.stores.reading import Reading
from services.stores.requests import (
    STORE_ID,
    ActivationsQuery,
    ArrowQuery,
    BreakdownQuery,
    CoactivationQuery,
    ContextQuery,
    DocumentFeaturesQuery,
    DocumentQuery,
    DocumentsQuery,
    StoreFeatureQuery,
    StoreFeaturesQuery,
    TextQuery,
    TokensQuery,
)
from services.stores.vocabulary import Vocabulary
from services.types.stores import (
    ActivationsPage,
    DocumentPart,
    FeaturesPage,
    SearchResult,
    StoreContext,
    StoreDocuments,
    StoreFeature,
    StoreHealth,
    StoreSummary,
    TokenFeatures,
)

T = TypeVar("T")

_SPEC = "store.json"


class Stores:
    """All stores below `stores_url`, a local folder or any fsspec URL. Safe for many threads.

    Whatever is read raises NotFound when there is no such store, or its folder is gone, and
    DamagedStore, with the file's name, when a file is not what was written.
    """

    def __init__(self, stores_url: str) -> None:
        self._url = stores_url.rstrip("/")
        self._open = OpenStores(lambda store_id: Reading.open(store_id, self.url(store_id)))

    def url(self, store_id: str) -> str:
        """Where the store is or would be; NotFound when no store can have this id."""
        if not re.fullmatch(STORE_ID, store_id):
            raise NotFound(f"there is no store {store_id[:100]!r}")
        return f"{self._url}/{store_id}"

    def list(self) -> tuple[str, ...]:
        """Ids of the stores that are there, in alphabetical order."""
        filesystem, root = fsspec.core.url_to_fs(self._url)
        filesystem.invalidate_cache(root)
        try:
            found = filesystem.ls(root, detail=True)
        except FileNotFoundError:
            return ()
        folders = [entry["name"].rstrip("/") for entry in found if entry["type"] == "directory"]
        there = [f for f in folders if filesystem.exists(f"{f}/{_SPEC}")]
        names = (folder.rsplit("/", 1)[-1] for folder in there)
        return tuple(sorted(name for name in names if re.fullmatch(STORE_ID, name)))

    def open(self, store_id: str) -> ActivationStore:
        """The store, kept open; at most a second behind what was written."""
        return self._reading(store_id).store

    def read(self, store_id: str, work: Callable[[Reading], T]) -> T:
        """The result of `work` on the store; it may be done twice, as files may go meanwhile."""
        return self._read(store_id, work)

    def forget(self, store_id: str) -> None:
        """Close the store, before it is removed."""
        self._open.forget(store_id)

    def health(self, store_id: str) -> StoreHealth:
        """How the store stands, and what it is of."""
        return self._read(store_id, features.health)

    def summary(self, store_id: str) -> StoreSummary:
        """All features in a few numbers."""
        return self._read(store_id, features.summary)

    def vocabulary(self, store_id: str) -> Vocabulary:
        """What token ids read as; Unsupported when the store does not say."""
        return self._read(store_id, lambda reading: reading.required_vocabulary)

    def features(self, store_id: str, query: StoreFeaturesQuery) -> FeaturesPage:
        """A page of features with their statistics, dead ones included."""
        return self._read(store_id, lambda reading: features.features_page(reading, query))

    def features_stream(self, store_id: str) -> RecordStream:
        """The statistics of all features; Unavailable while the store fills."""
        return self._read(store_id, features.features_stream)

    def feature(self, store_id: str, feature: int, query: StoreFeatureQuery) -> StoreFeature:
        """All that is known of one feature, with examples in their context."""
        return self._read(store_id, lambda reading: features.one_feature(reading, feature, query))

    def activations(self, store_id: str, feature: int, query: ActivationsQuery) -> ActivationsPage:
        """A page of a feature's activations, or a sample of them."""
        return self._read(
            store_id, lambda reading: activations.activations_page(reading, feature, query)
        )

    def activations_stream(self, store_id: str, feature: int, query: ArrowQuery) -> RecordStream:
        """All of a feature's activations that are selected, as record batches."""
        return self._read(
            store_id, lambda reading: activations.activations_stream(reading, feature, query)
        )

    def tokens(self, store_id: str, position: int, query: TokensQuery) -> tuple[TokenFeatures, ...]:
        """What fires at a token, and at those after it."""
        return self._read(
            store_id,
            lambda reading: contexts.token_features(reading, position, query.count, query.top),
        )

    def context(self, store_id: str, position: int, query: ContextQuery) -> StoreContext:
        """The text around a token."""
        return self._read(store_id, lambda reading: contexts.asked(reading, position, query))

    def documents(self, store_id: str, query: DocumentsQuery) -> StoreDocuments:
        """A page of documents."""
        return self._read(store_id, lambda reading: documents.documents_page(reading, query))

    def document(self, store_id: str, number: int, query: DocumentQuery) -> DocumentPart:
        """A document with some of its tokens."""
        return self._read(store_id, lambda reading: documents.document(reading, number, query))

    def document_features(
        self, store_id: str, number: int, query: DocumentFeaturesQuery
    ) -> pa.Table:
        """The features that fire in a document: columns feature, n, sum and max."""
        return self._read(
            store_id, lambda reading: documents.document_features(reading, number, query)
        )

    def search(self, store_id: str, query: TextQuery) -> SearchResult:
        """Where a text stands in the corpus, and which features fire there."""
        return self._read(store_id, lambda reading: search.search(reading, query))

    def coactivation(self, store_id: str, feature: int, query: CoactivationQuery) -> Partners:
        """The features that fire together with one; Unavailable while the store fills."""
        return self._read(
            store_id,
            lambda reading: reading.store.coactivation(feature, query.top, query.measure),
        )

    def breakdown(self, store_id: str, feature: int, query: BreakdownQuery) -> pa.Table:
        """A feature's densities by the values of a metadata column, the highest first."""
        return self._read(store_id, lambda reading: features.breakdown(reading, feature, query))

    def _read(self, store_id: str, work: Callable[[Reading], T]) -> T:
        """The result of `work`. What it could not read may have been merged into other files
        meanwhile: then the newest version is read.
        """
        reading = self._reading(store_id)
        try:
            return work(reading)
        except SYMPTOMS:
            self._open.forget(store_id)
        reading = self._reading(store_id)
        try:
            return work(reading)
        except SYMPTOMS as error:
            raise damage(reading.url, error) from error

    def _reading(self, store_id: str) -> Reading:
        url = self.url(store_id)
        for is_last in (False, True):
            try:
                return self._open.get(store_id)
            except NotFound:
                raise NotFound(f"there is no store {store_id!r}", store_id=store_id) from None
            except SYMPTOMS as error:  # as above
                if is_last:
                    raise damage(url, error) from error
        raise AssertionError
