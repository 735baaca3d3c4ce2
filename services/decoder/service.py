"""The decoders' tables: computed once per SAE, kept in the data folder, read when asked for.

An extraction makes them in its phase "decoder", piece by piece, so that runs come between:

    steps = decoders.steps(lm, sae)
    while (step := engine(lambda: next(steps, None)).result()) is not None:
        job.progress(step.done, step.total, "features")  # and look whether to stop

Every piece computes in the thread that asks for it, for about a second at most; `step.table` is
there with the last one. To stop in between: `steps.close()`, which leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyarrow.parquet as pq

from services.decoder.table import DecoderTable, Made, open_table, schema_for
from services.errors import ActiscopeError, NotFound
from services.store.local import LocalStorage
from services.types import DecoderInfo

if TYPE_CHECKING:
    from services.decoder.making import Rows
    from services.lm.catalogue import ModelCatalogue
    from services.lm.language_model import LanguageModel
    from services.sae.catalogue import SaeCatalogue
    from services.sae.loader import Sae

TOP_K = 20  # tokens at either end, and neighbours
_ABANDONED_S = 3600  # a row group is written more often than that


@dataclass(frozen=True, slots=True)
class Step:
    """How far the making of a table is; the last step has the table."""

    done: int  # features
    total: int
    table: DecoderTable | None = None


class Decoders:
    """The tables below `<home>/derived/decoder/`. torch is imported when one is made."""

    def __init__(self, home: Path, models: ModelCatalogue, saes: SaeCatalogue) -> None:
        self._folder = home / "derived" / "decoder"
        self._models, self._saes = models, saes

    def get(self, sae_id: str) -> DecoderTable | None:
        """The table of the SAE as it is now; None where none was made since it changed.

        Raises:
            NotFound: there is no such SAE.
        """
        entry = self._saes.get(sae_id)
        for path in sorted(self._folder_of(sae_id).glob("*.parquet")):
            table = open_table(path)
            if table is None or table.made.sae_file != entry.info.revision:
                continue
            if self._model_file(table.info.model_id) in (None, table.made.model_file):
                return table
        return None

    def require(self, sae_id: str) -> DecoderTable:
        """The table, or `NotFound` that says what makes one."""
        table = self.get(sae_id)
        if table is None:
            raise NotFound(
                f"the decoder of SAE {sae_id} has not been looked at yet: an extraction with this "
                f"SAE does it (`actiscope extract --sae {sae_id} --corpus …`, or the page "
                "Extractions)",
                sae_id=sae_id,
            )
        return table

    def steps(self, lm: LanguageModel, sae: Sae) -> Generator[Step, None, None]:
        """Make the table in pieces; one step when it is there already.

        Raises:
            Conflict: the SAE has changed on disk since it was loaded.
            ResourceExhausted: memory or disk do not suffice.
        """
        path = self._folder_of(sae.info.sae_id) / f"{_fingerprint(lm, sae)}.parquet"
        table = self.get(sae.info.sae_id)
        if table is None or table.path != path:
            yield Step(0, sae.info.d_sae)
            yield from self._write(path, lm, sae)
            _tidy(path)
            table = open_table(path)
        yield Step(sae.info.d_sae, sae.info.d_sae, table)

    def make(
        self,
        lm: LanguageModel,
        sae: Sae,
        progress: Callable[[int, int], None] = lambda done, total: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> DecoderTable | None:
        """The table, made where there is none, in the calling thread; None when stopped."""
        steps = self.steps(lm, sae)
        for step in steps:
            progress(step.done, step.total)
            if step.table is not None:
                return step.table
            if stop():
                steps.close()
        return None

    def _write(self, path: Path, lm: LanguageModel, sae: Sae) -> Generator[Step, None, None]:
        rows, made = self._prepared(lm, sae)
        schema, storage = schema_for(made), LocalStorage(path.parent, "making")
        with (
            storage.writing(path.name) as file,
            pq.ParquetWriter(file.local, schema, compression="zstd") as writer,
        ):
            yield from _groups(rows, writer)

    def _prepared(self, lm: LanguageModel, sae: Sae) -> tuple[Rows, Made]:
        from services.decoder.directions import read_directions
        from services.decoder.making import Rows, find_reading

        entry = self._saes.get(sae.info.sae_id)
        directions, reading = read_directions(sae, entry), find_reading(lm, entry)
        n_tokens = lm.info.n_vocab
        if reading.unembedding is not None:
            # Rows of the matrix beyond the tokenizer's vocabulary are padding.
            n_tokens = min(len(reading.unembedding.W_U), len(lm.tokenizer))
        info = DecoderInfo(
            sae_id=sae.info.sae_id,
            model_id=lm.info.model_id,
            sae_revision=sae.info.revision,
            model_revision=lm.info.revision,
            d_sae=sae.info.d_sae,
            n_tokens=n_tokens,
            top_k=TOP_K,
            writes_to=reading.route.words if reading.route else None,
            softcapping=reading.unembedding.softcapping if reading.unembedding else None,
            without_logits=reading.reason,
        )
        made = Made(info, entry.info.revision, self._model_file(lm.info.model_id) or "")
        return Rows(directions, reading, lm.tokenizer, n_tokens, TOP_K), made

    def _model_file(self, model_id: str) -> str | None:
        """What the model's weights are, as a listing sees them; None where it is not here."""
        try:
            return self._models.get(model_id).info.revision
        except ActiscopeError:
            return None

    def _folder_of(self, sae_id: str) -> Path:
        return self._folder / quote(sae_id, safe="")


def _groups(rows: Rows, writer: pq.ParquetWriter) -> Iterator[Step]:
    from services.decoder.computing import ROWS

    pieces = rows.pieces()
    for start in range(0, rows.d_sae, ROWS):
        n = min(ROWS, rows.d_sae - start)
        group, done = rows.group(start), 0
        while True:
            try:
                next(group)
            except StopIteration as end:
                writer.write_table(end.value, row_group_size=ROWS)
                break
            done += 1
            yield Step(start + n * done // pieces, rows.d_sae)


def _fingerprint(lm: LanguageModel, sae: Sae) -> str:
    parts = (lm.info.model_id, lm.info.revision, sae.info.revision, str(TOP_K))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _tidy(path: Path) -> None:
    """Remove what `path` takes the place of, and what a process that was killed has left."""
    for other in path.parent.glob("*.parquet"):
        if other != path:
            other.unlink(missing_ok=True)
    for file in path.parent.glob("tmp/*/*"):
        with suppress(FileNotFoundError):
            if file.stat().st_mtime < time.time() - _ABANDONED_S:
                file.unlink()
