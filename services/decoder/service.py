"""The decoders' tables: computed once per SAE, kept in the data folder, read when asked for.

An extraction makes them in its phase "decoder", piece by piece, so that runs come between:

    steps = decoders.steps(lm, sae)
    while (step := engine(lambda: next(steps, None)).result()) is not None:
        job.progress(step.done, step.total, "features")  # and look whether to stop

Every piece computes in the thread that asks for it, for about a second at most; `step.table` is
there with the last one. To stop in between: `steps.close()`, which leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.decoder.table import DecoderTable

if TYPE_CHECKING:
    from services.lm.catalogue import ModelCatalogue
    from services.lm.language_model import LanguageModel
    from services.sae.catalogue import SaeCatalogue
    from services.sae.loader import Sae


@dataclass(frozen=True, slots=True)
class Step:
    """How far the making of a table is; the last step has the table."""

    done: int  # features
    total: int
    table: DecoderTable | None = None


class Decoders:
    """The tables below `<home>/derived/decoder/`. Nothing here imports torch until one is made."""

    def __init__(self, home: Path, models: ModelCatalogue, saes: SaeCatalogue) -> None:
        self._folder = home / "derived" / "decoder"
        self._models, self._saes = models, saes

    def get(self, sae_id: str) -> DecoderTable | None:
        """The table of the SAE as it is now; None where none was made since it changed.

        Raises:
            NotFound: there is no such SAE.
        """
        raise NotImplementedError

    def steps(self, lm: LanguageModel, sae: Sae) -> Generator[Step, None, None]:
        """Make the table in pieces; one step when it is there already.

        Raises:
            Unsupported: the SAE's directions cannot be read.
            Conflict: the SAE has changed on disk since it was loaded.
            ResourceExhausted: memory or disk do not suffice.
        """
        raise NotImplementedError

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
