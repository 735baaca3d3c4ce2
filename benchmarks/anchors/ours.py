"""This product at the same task: an extraction as a page or the command line starts it.

Run with the product's own Python from the repository's root, in a process of its own as the
others are. The clock runs from when model and SAE are loaded until the job has succeeded: reading,
hashing and tokenising the corpus, passes, features, the complete store, all statistics.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from services.container import Container
from services.extraction.requests import StartExtraction
from services.settings import Settings
from services.types import JobStatus


def main() -> None:
    asked = json.loads(sys.argv[1])
    home = Path(asked["output"])
    container = Container(Settings(home=home, database_url="", preload=False))
    try:
        for sae_id in (request := _request(asked)).sae_ids:
            container.base.residents.sae(sae_id)
        container.base.residents.model(asked["model_id"])
        began = time.perf_counter(), time.process_time()
        (view,) = container.extractions.start(request)
        container.jobs.work_on(view.job_id)
        job = container.jobs.wait(view.job_id)
        ended = time.perf_counter(), time.process_time()
        if job.status is not JobStatus.SUCCEEDED:
            raise RuntimeError(job.error_message)
        live = container.extractions.get(view.extraction_id).live
    finally:
        container.close()
    found = {
        "n_tokens": live.n_tokens,
        "seconds": ended[0] - began[0],
        "cpu_seconds": ended[1] - began[1],
        "activations_per_token": live.nnz / live.n_counted,
    }
    print("\n" + json.dumps(found), flush=True)


def _request(asked: dict[str, object]) -> StartExtraction:
    return StartExtraction(
        sae_ids=(asked["sae_id"],),
        corpus_id="demo",
        max_tokens=asked["n_tokens"],
        sample_seed=0,
    )


if __name__ == "__main__":
    main()
