"""One run from its prompt to its features, in the engine's thread.

Whatever fails, what was written is kept: an SAE that fails makes the run `partial`, an error
before the text is complete makes it `error` with the text so far.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from services.errors import ActiscopeError, InvalidArgument, as_product_error
from services.runs.catalogue import Catalogue
from services.runs.features import FeatureReader, SaeOutcome
from services.runs.live import RunInProgress
from services.runs.request import RunRequest
from services.types import FeatureTimeline, RunStatus, Segment, Token
from services.versions import library_versions

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel
    from services.lm.resident import Residents


@dataclass
class Outcome:
    """All that a run brought, filled as far as it came."""

    status: RunStatus = RunStatus.ERROR
    error: ActiscopeError | None = None
    rendered_prompt: str = ""
    output_text: str = ""
    tokens: tuple[Token, ...] = ()
    finish_reason: str | None = None
    saes: list[SaeOutcome] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    def without_features(self, error: ActiscopeError) -> Outcome:
        """The text alone, when the whole cannot be stored because of `error`."""
        complete = self.finish_reason is not None
        status = RunStatus.PARTIAL if complete else RunStatus.ERROR
        return replace(self, status=status, error=error, saes=[])


class Engine:
    """Executes runs with the resident models. Its methods are called from one thread."""

    def __init__(self, catalogue: Catalogue, residents: Residents) -> None:
        self._catalogue = catalogue
        self._residents = residents
        self._reader = FeatureReader(catalogue, residents)

    def load(self, model_id: str, sae_ids: Sequence[str]) -> None:
        """Make the model and the SAEs resident."""
        self._residents.model(model_id)
        for sae_id in sae_ids:
            self._residents.sae(sae_id)

    def execute(self, request: RunRequest, run: RunInProgress) -> Outcome:
        """Do what `request` asks, showing progress in `run`. Never raises: errors are results.

        `request` is resolved: model, SAEs and seed are named.
        """
        outcome = Outcome()
        started = time.monotonic()
        try:
            with self._residents.hold(str(request.model_id), request.sae_ids or ()):
                self._execute(request, run, outcome)
            outcome.status = _final_status(run, outcome)
        except Exception as error:  # the worker's edge: the run must end with a reason
            _keep_failure(as_product_error(error), run, outcome)
        outcome.provenance["duration_s"] = round(time.monotonic() - started, 4)
        return outcome

    def _execute(self, request: RunRequest, run: RunInProgress, outcome: Outcome) -> None:
        """What was written and read so far is in `outcome`, also when this raises."""
        run.phase = "loading model"
        lm = self._residents.model(str(request.model_id))
        run.provenance = outcome.provenance = self._provenance(lm, request)
        prompt_ids = _read_prompt(request, run, lm, outcome)
        _write_text(request, run, lm, prompt_ids, outcome)
        self._read_features(request, run, lm, outcome)

    def extract(
        self, model_id: str, sae_ids: Sequence[str], token_ids: list[int], top_k: int
    ) -> tuple[tuple[FeatureTimeline, ...], tuple[Token, ...]]:
        """The features of a given sequence, and its tokens.

        Raises:
            InvalidArgument: the model has no such token, or reads no sequence that long.
            ActiscopeError: an SAE failed.
        """
        with self._residents.hold(model_id, sae_ids):
            lm = self._residents.model(model_id)
            _check_sequence(lm, token_ids)
            tokens = _tokens(lm, token_ids, [i in lm.special_ids for i in token_ids])
            counted = [not t.is_special for t in tokens]
            self.load(model_id, sae_ids)
            outcomes = self._reader.read(lm, sae_ids, token_ids, counted, top_k)
        return tuple(o.timeline for o in outcomes), tokens

    def _read_features(
        self, request: RunRequest, run: RunInProgress, lm: LanguageModel, outcome: Outcome
    ) -> None:
        if not request.sae_ids:
            return
        run.phase = "reading features"
        started = time.monotonic()
        outcome.saes = self._reader.read(
            lm,
            request.sae_ids,
            [t.token_id for t in outcome.tokens],
            [not t.is_special for t in outcome.tokens],
            request.sae_top_k,
        )
        outcome.provenance["features_s"] = round(time.monotonic() - started, 4)
        outcome.provenance["saes"] = [sae.provenance for sae in outcome.saes if sae.provenance]

    def _provenance(self, lm: LanguageModel, request: RunRequest) -> dict[str, Any]:
        return {
            "model": {
                "model_id": lm.info.model_id,
                "revision": lm.info.revision,
                "path": str(self._catalogue.model_entry(lm.info.model_id).path),
            },
            "device": str(lm.device),
            "dtype": str(lm.dtype).removeprefix("torch."),
            "threads": lm.threads,
            "seed": request.seed,
            "versions": library_versions(),
        }


def _read_prompt(
    request: RunRequest, run: RunInProgress, lm: LanguageModel, outcome: Outcome
) -> list[int]:
    from services.lm.decode import check_prompt
    from services.lm.prompts import render
    from services.lm.tokens import decode_text, token_texts

    run.phase = "reading prompt"
    prompt = render(lm, request.prompt, request.system_prompt, request.chat_template)
    check_prompt(lm, prompt.token_ids)
    run.prompt_tokens = _tokens(lm, prompt.token_ids, prompt.is_special)
    run.token_texts = partial(token_texts, lm.tokenizer)
    run.decode_text = partial(decode_text, lm.tokenizer)
    run.special_ids = lm.special_ids
    run.rendered_prompt = outcome.rendered_prompt = prompt.text
    return prompt.token_ids


def _write_text(
    request: RunRequest,
    run: RunInProgress,
    lm: LanguageModel,
    prompt_ids: list[int],
    outcome: Outcome,
) -> None:
    from services.lm.decode import generate
    from services.lm.sampling import Sampling

    run.phase, run.writing_since = "writing", time.monotonic()
    generation = generate(
        lm,
        prompt_ids,
        Sampling(request.temperature, request.top_p, request.top_k),
        request.max_tokens,
        int(request.seed or 0),
        on_token=run.add_token,
        should_stop=run.cancelled.is_set,
    )
    run.writing_ended = time.monotonic()
    outcome.provenance["writing_s"] = round(run.writing_ended - run.writing_since, 4)
    outcome.tokens = (*run.prompt_tokens, *run.output_tokens(generation.logprobs))
    outcome.output_text = run.output_text()
    outcome.finish_reason = generation.finish_reason


def _keep_failure(error: ActiscopeError, run: RunInProgress, outcome: Outcome) -> None:
    """The run ends here; a text that was complete makes it partial."""
    complete = outcome.finish_reason is not None
    outcome.status = RunStatus.PARTIAL if complete else RunStatus.ERROR
    outcome.error = error
    outcome.provenance["error"] = {"code": error.code, "details": dict(error.details)}
    if not complete:
        outcome.tokens = (*run.prompt_tokens, *run.output_tokens())
        outcome.output_text = run.output_text()


def _final_status(run: RunInProgress, outcome: Outcome) -> RunStatus:
    if outcome.finish_reason == "cancelled":
        return RunStatus.INTERRUPTED if run.is_interrupted else RunStatus.CANCELLED
    failed = any(sae.timeline.error is not None for sae in outcome.saes)
    return RunStatus.PARTIAL if failed else RunStatus.OK


def _tokens(
    lm: LanguageModel, token_ids: Sequence[int], is_special: Sequence[bool]
) -> tuple[Token, ...]:
    """Prompt tokens, from position 0."""
    from services.lm.tokens import token_texts

    texts = token_texts(lm.tokenizer, list(token_ids))
    return tuple(
        Token(position, token_id, text, special, Segment.PROMPT, None)
        for position, (token_id, text, special) in enumerate(
            zip(token_ids, texts, is_special, strict=True)
        )
    )


def _check_sequence(lm: LanguageModel, token_ids: Sequence[int]) -> None:
    n_vocab = lm.info.n_vocab
    if len(token_ids) > lm.n_ctx:
        raise InvalidArgument(
            f"{len(token_ids)} tokens are more than the {lm.n_ctx} that {lm.info.model_id} reads"
        )
    if max(token_ids) >= n_vocab:
        raise InvalidArgument(f"token id {max(token_ids)} is none of the model's {n_vocab}")
