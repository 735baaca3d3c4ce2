"""What extractions are made with: built once by the container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.corpus.service import Corpora
from services.decoder.service import Decoders
from services.extraction.store import ExtractionStore
from services.features.texts import FeatureTexts
from services.jobs.service import Jobs
from services.registry.index import Index
from services.runs.catalogue import Catalogue
from services.runs.worker import EngineWorker
from services.stores.service import Stores
from services.types import PreflightReport

if TYPE_CHECKING:
    from services.lm.resident import Residents


@dataclass(frozen=True)
class Parts:
    """The services that extractions stand on."""

    rows: ExtractionStore
    jobs: Jobs
    catalogue: Catalogue
    index: Index
    corpora: Corpora
    stores: Stores
    residents: Residents
    worker: EngineWorker
    decoders: Decoders
    texts: FeatureTexts
    report: Callable[[str], PreflightReport | None]  # an SAE's newest preflight
