"""The table of an SAE's features: sorted, filtered, searched and paged over the whole set."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from services.errors import Unavailable
from services.extraction.sources import Sources
from services.features.bases import Bases
from services.features.basis import Basis
from services.features.columns import COLUMNS
from services.features.export import FeatureFile, export
from services.features.lines import lines
from services.features.marks import MarkColumns, MarksOf
from services.features.ordering import Order
from services.features.requests import ExportFormat, FeatureTableQuery
from services.features.table import Table, spread
from services.probes.service import Probes
from services.sae.feature_ids import require_feature
from services.stores.service import Stores
from services.types.features import ColumnInfo, EvidenceSource, FeatureLine, FeatureTablePage

if TYPE_CHECKING:
    from services.labels.snapshot import LabelSnapshot


_KEPT = 8  # SAEs whose labels are in memory as columns


class FeatureTables:
    """The tables of all SAEs, in memory as columns while they are asked for."""

    def __init__(
        self,
        sources: Sources,
        stores: Stores,
        bases: Bases,
        probes: Probes,
        labels: Callable[[str], LabelSnapshot],
    ) -> None:
        self._sources, self._stores = sources, stores
        self._bases, self._probes, self._labels = bases, probes, labels
        self._lock = threading.Lock()
        self._marks: OrderedDict[tuple[str, int], MarksOf] = OrderedDict()

    def page(self, query: FeatureTableQuery) -> FeatureTablePage:
        """Some lines of the table.

        Raises:
            NotFound: no such SAE, store or feature; or a filter asks for what nobody made yet.
            Unavailable: a filter asks for what is known once the store is complete, or a search for
            texts that are being gathered.
            InvalidArgument: the store is of another SAE, the cursor of another query.
        """
        order = self._ordered(query)
        features, table = order.features, order.table
        begin = query.offset if query.cursor is None else order.after(query.cursor)
        shown = features[begin : begin + query.limit]
        more = len(shown) and begin + len(shown) < len(features)
        return FeatureTablePage(
            sae_id=query.sae_id,
            source=table.basis.source,
            items=tuple(lines(table, shown)),
            total=len(features),
            n_features=table.basis.n_features,
            next_cursor=order.cursor(int(shown[-1])) if more else None,
        )

    def ids(self, query: FeatureTableQuery) -> list[int]:
        """All features that pass, in order, whatever page is asked for. Raises as `page`."""
        found: list[int] = self._ordered(query).features.tolist()
        return found

    def export(self, query: FeatureTableQuery, format: ExportFormat) -> FeatureFile:
        """All features that pass, in order, as a file made piece by piece. Raises as `page`."""
        order = self._ordered(query)
        return export(order.table, order.features, format)

    def lines(
        self, sae_id: str, ids: Sequence[int], store_id: str | None = None
    ) -> dict[int, FeatureLine]:
        """The lines of some features, whatever their order.

        Raises:
            NotFound: there is no such SAE, store or feature.
        """
        table = self._table(sae_id, store_id)
        for feature in ids:
            require_feature(sae_id, feature, table.basis.n_features)
        return {line.feature_id: line for line in lines(table, dict.fromkeys(ids))}

    def source(self, sae_id: str, store_id: str | None = None) -> EvidenceSource | None:
        """The store that statements about the SAE's features are made from; None without one.

        Raises:
            NotFound: there is no such SAE or store.
            InvalidArgument: the store is of another SAE.
        """
        return self._sources.get(sae_id, store_id)

    def table(self, sae_id: str, store_id: str | None = None) -> Table:
        """All features as columns in memory, for maps. Raises as `source`."""
        return self._table(sae_id, store_id)

    def columns(self) -> tuple[ColumnInfo, ...]:
        """All columns of the table."""
        return COLUMNS

    def _ordered(self, query: FeatureTableQuery) -> Order:
        table = self._asked(query, self._table(query.sae_id, query.store_id))
        if query.text and self._bases.is_gathering(table.basis):
            raise Unavailable(
                "the texts of these features are being gathered to be searched in: ask again in a "
                "moment"
            )
        return Order(table, query, table.passing(query))

    def _table(self, sae_id: str, store_id: str | None) -> Table:
        d_sae = self._sources.sae(sae_id).d_sae
        basis = self._basis(sae_id, d_sae, self._sources.get(sae_id, store_id))
        return Table(basis, self._marks_of(sae_id, d_sae))

    def _basis(self, sae_id: str, d_sae: int, source: EvidenceSource | None) -> Basis:
        if source is None:
            return self._bases.get(sae_id, d_sae, None, None)
        return self._stores.read(
            source.store_id, lambda reading: self._bases.get(sae_id, d_sae, reading, source)
        )

    def _asked(self, query: FeatureTableQuery, table: Table) -> Table:
        """With the columns that follow from the query."""
        asked, n = {}, table.basis.n_features
        if query.neighbour_of is not None:
            asked["cosine"] = spread(n, *table.basis.near(query.neighbour_of))
        if query.fires_on is not None:
            fires = self._probes.fires(query.sae_id, query.fires_on)
            asked["fires"] = spread(n, np.asarray(fires.feature_ids), np.asarray(fires.values))
        return Table(table.basis, table.marks, asked)

    def _marks_of(self, sae_id: str, d_sae: int) -> MarkColumns:
        with self._lock:
            made = MarksOf(d_sae, lambda: self._labels(sae_id))
            found = self._marks.setdefault((sae_id, d_sae), made)
            self._marks.move_to_end((sae_id, d_sae))
            while len(self._marks) > _KEPT:
                self._marks.popitem(last=False)
        return found.columns()
