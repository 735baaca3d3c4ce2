"""The corpus through model and SAEs into the stores: pool k is written while k + 1 is computed."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from services.errors import ActiscopeError
from services.extraction.assembling import tokens_of
from services.extraction.batching import batches
from services.extraction.engine_pieces import Pieces
from services.extraction.lanes import Lane, active
from services.extraction.passes import Counting, read_batch
from services.extraction.plan import Plan
from services.extraction.windows import Pool
from services.sae.encode_sparse import SparseRows

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel


@dataclass(frozen=True)
class Reading:
    """What reads: a model, the lanes of its SAEs, and the engine that computes."""

    lm: LanguageModel
    lanes: Sequence[Lane]
    plan: Plan
    pieces: Pieces

    def pools(self, pools: Iterator[Pool]) -> Generator[Pool, None, None]:
        """Each pool once all lanes have its tokens; the next one is computed meanwhile."""
        waiting: tuple[Pool, Future[_Found]] | None = None
        with _beside(self.pieces) as executor:
            for pool in pools:
                if not active(self.lanes):
                    return
                computing = executor.submit(self._compute, pool)
                if waiting is not None:
                    yield self._keep(*waiting)
                waiting = (pool, computing)
            if waiting is not None:
                yield self._keep(*waiting)

    @property
    def _counting(self) -> Counting:
        special = self.lm.special_ids - {self.lm.tokenizer.bos_token_id}
        skipped = np.array(sorted(special if self.plan.skip_special else ()), np.int64)
        return Counting(self.lm.tokenizer.bos_token_id if self.plan.skip_bos else None, skipped)

    def _compute(self, pool: Pool) -> _Found:
        """In a thread of its own: one batch after the other, each a piece of the engine's work."""
        found = _Found()
        for numbers in batches(pool.items, self.plan.batch_tokens):
            items = [pool.items[number] for number in numbers]
            saes = [lane.sae for lane in active(self.lanes) if lane.sae_id not in found.errors]
            if not saes:
                break
            work = partial(read_batch, self.lm, saes, items, self._counting)
            piece = self.pieces.run_beside(work)
            for sae_id, rows in piece.items():
                if isinstance(rows, ActiscopeError):
                    found.errors[sae_id] = rows
                else:
                    found.rows.setdefault(sae_id, {}).update(zip(numbers, rows, strict=True))
        return found

    def _keep(self, pool: Pool, computing: Future[_Found]) -> Pool:
        found = self.pieces.wait(computing)
        tokens = tokens_of(pool, self._counting, list(self.plan.metadata))
        for lane in active(self.lanes):
            lane.error = found.errors.get(lane.sae_id)
            if lane.error is None:
                rows = found.rows[lane.sae_id]
                batch = tokens.batch([rows[number] for number in range(len(pool.items))])
                lane.attempt(partial(lane.append, batch))
        return pool


@dataclass(frozen=True, slots=True)
class _Found:
    """By SAE: the features of each window by its number, or why there are none."""

    rows: dict[str, dict[int, SparseRows]] = field(default_factory=dict)
    errors: dict[str, ActiscopeError] = field(default_factory=dict)


@contextmanager
def _beside(pieces: Pieces) -> Iterator[ThreadPoolExecutor]:
    """A thread; when the block ends by an error, it begins no further piece."""
    with ThreadPoolExecutor(1, thread_name_prefix="extraction") as executor:
        try:
            yield executor
        except BaseException:
            pieces.stop()
            raise
