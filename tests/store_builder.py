"""Builds one store, from where it stopped: a program to be killed.

`python -m tests.store_builder FOLDER PAUSE_S` pauses between batches so that there is time to.
"""

from __future__ import annotations

import sys
import time

from services.store import Layout, StoreWriter
from tests.made_stores import dense, spec

BATCH, TOKENS = 61, 6000
LAYOUT = Layout(part_tokens=400, segment_nnz=4000, block_nnz=500, range_nnz=2000)


def main(folder: str, pause_s: float) -> None:
    corpus = dense(TOKENS)
    print("ready", flush=True)
    writer = StoreWriter.open_for_resume(folder, spec(layout=LAYOUT))
    for start in range(writer.n_sealed // BATCH * BATCH, TOKENS, BATCH):
        if writer.finished:
            break
        writer.append(corpus.batch(start, min(start + BATCH, TOKENS)))
        time.sleep(pause_s)
    writer.finish()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
