"""The phase `decoder`: what the SAEs' decoders say, in pieces between runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from services.errors import ActiscopeError, as_product_error
from services.extraction.engine_pieces import Pieces

if TYPE_CHECKING:
    from services.decoder.service import Decoders, Step
    from services.jobs.context import JobContext
    from services.lm.language_model import LanguageModel
    from services.sae.loader import Sae


def read_decoder(
    job: JobContext, pieces: Pieces, decoders: Decoders, lm: LanguageModel, sae: Sae
) -> None:
    """Make the SAE's table; where it cannot be made, the log says why and nothing else is lost."""
    steps = decoders.steps(lm, sae)
    job.begin("decoder", sae.info.d_sae, "features")
    try:
        while (step := pieces.run(partial(_next, steps))) is not None:
            job.progress(step.done, step.total)
            if step.table is not None and (reason := step.table.info.without_logits):
                job.log(f"decoder of {sae.info.sae_id}: {reason}", "warning")
            job.check()
    except ActiscopeError as error:
        job.log(f"decoder of {sae.info.sae_id}: {error.message}", "warning")
    finally:
        with suppress(ValueError):  # a piece is under way: closed when nobody has it
            steps.close()


def _next(steps: Iterator[Step]) -> Step | None:
    """The next step, in the engine's thread; whatever fails there is the decoder's own error."""
    try:
        return next(steps, None)
    except Exception as error:
        raise as_product_error(error) from error
