"""The kind of job `extract`: its rows, and what its worker is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from db.extraction_records import NewExtraction
from db.records import utc_now
from services.errors import Conflict, InvalidArgument
from services.extraction.parts import Parts
from services.extraction.requests import ExtractParams
from services.jobs.kinds import Kind

if TYPE_CHECKING:
    from services.extraction.running import Tools
    from services.jobs.context import JobContext

EXTRACT = "extract"


def extract_kind(parts: Parts) -> Kind[ExtractParams]:
    """The kind, working with `parts`."""
    return Kind(EXTRACT, ExtractParams, lambda job, params: _run(parts, job, params), _title)


def new_rows(parts: Parts, params: ExtractParams, job_id: str, at: datetime) -> list[NewExtraction]:
    """The rows of a job's extractions.

    Raises:
        NotFound: an SAE is not here any more.
    """
    config = params.options.model_dump(mode="json", exclude={"corpus_id"})
    infos = [parts.catalogue.sae_entry(sae_id).info for sae_id in params.sae_ids]
    return [
        NewExtraction(
            extraction_id=extraction_id,
            job_id=job_id,
            sae_id=info.sae_id,
            model_id=params.model_id,
            hook_name=info.hook_name,
            layer=info.layer,
            d_sae=info.d_sae,
            corpus_id=params.options.corpus_id,
            config=config,
            created_at=at,
        )
        for extraction_id, info in zip(params.extraction_ids, infos, strict=True)
    ]


def _title(params: ExtractParams) -> str:
    others = len(params.sae_ids) - 1
    more = f" and {others} more" if others else ""
    return f"Extract {params.options.corpus_id} with {params.sae_ids[0]}{more}"


def _run(parts: Parts, job: JobContext, params: ExtractParams) -> Mapping[str, Any] | None:
    """In a job's thread."""
    from services.extraction.running import run_extraction

    if len(params.extraction_ids) != len(params.sae_ids):
        raise InvalidArgument("extraction_ids must be as many as sae_ids: one for each")
    _see_to_rows(parts, job, params)
    return run_extraction(job, params, _tools(parts))


def _tools(parts: Parts) -> Tools:
    from services.extraction.running import Tools

    return Tools(
        corpus=parts.corpora.open,
        sae_entry=parts.catalogue.sae_entry,
        residents=parts.residents,
        engine=parts.worker.between,
        store_url=parts.stores.url,
        rows=parts.rows,
        decoders=parts.decoders,
        texts=parts.texts,
    )


def _see_to_rows(parts: Parts, job: JobContext, params: ExtractParams) -> None:
    """Every extraction has its row: also one of a job that was started as such."""
    parts.rows.reopen(job.job_id)
    if job.checkpoint is None:
        parts.index.known()  # a row needs those of its SAE and corpus
        parts.corpora.get(params.options.corpus_id)
        parts.rows.ensure(new_rows(parts, params, job.job_id, utc_now()))
        return
    for extraction_id in params.extraction_ids:
        if not parts.rows.exists(extraction_id):
            raise Conflict(
                f"extraction {extraction_id} of this job was removed: start a new one",
                extraction_id=extraction_id,
            )
