"""The activation store: every activation of every feature over a corpus, kept and exact.

The format is in docs/store.md, the statistics in docs/statistics.md.
"""

from services.store.batches import Batch
from services.store.compaction import compact
from services.store.errors import DamagedStore
from services.store.reader import ActivationStore, Context
from services.store.selection import Activations, Page, Selection
from services.store.spec import Layout, StoreSpec
from services.store.writer import StoreWriter, append_shard

__all__ = [
    "ActivationStore",
    "Activations",
    "Batch",
    "Context",
    "DamagedStore",
    "Layout",
    "Page",
    "Selection",
    "StoreSpec",
    "StoreWriter",
    "append_shard",
    "compact",
]
