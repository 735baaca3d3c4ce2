"""The phase `features`: what the features are about, as text, for their table and its search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.errors import as_product_error
from services.stores.reading import Reading

if TYPE_CHECKING:
    from services.extraction.lanes import Lane
    from services.features.texts import FeatureTexts
    from services.jobs.context import JobContext


def gather_texts(job: JobContext, texts: FeatureTexts, lane: Lane) -> None:
    """Gather the texts of the store's features; where that fails, the log says why, and it is
    tried again when somebody asks for them.
    """
    job.begin("features", None, "tokens")
    try:
        texts.make(Reading.open(lane.extraction_id, lane.url), job.should_stop, job.progress)
    except Exception as error:  # the store is complete, whatever fails here
        message = as_product_error(error).message
        job.log(f"texts of the features of {lane.sae_id}: {message}", "warning")
    job.check()
