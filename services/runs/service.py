"""Runs, as pages, REST and the command line use them.

The truth about a run is its database row. Starting a run stores it and queues it for the engine's
thread; everybody else only follows.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator, Sequence

from services.errors import Conflict, InvalidArgument, TooLarge
from services.runs import analysis
from services.runs.catalogue import Catalogue
from services.runs.code import Language, code
from services.runs.dispatch import Dispatcher
from services.runs.export import Format, Labels, What, export, no_labels
from services.runs.queries import DeltaQuery, ExtractRequest, RowQuery, RunQuery, TopQuery
from services.runs.request import RunRequest
from services.runs.store import RunStore
from services.settings import Settings
from services.types import (
    ActivationRow,
    Download,
    FeatureDeltas,
    FeatureInRun,
    FeatureTimeline,
    LiveRun,
    RunPage,
    RunSummary,
    RunView,
    Segment,
    Token,
    TopFeature,
)

# The class has a method `list`, so the type is named out here.
Rows = list[ActivationRow]
TopFeatures = list[TopFeature]

_FOLLOW_DATABASE_S = 0.5  # how often the row of another process's run is read


class RunService:
    """Start, follow, read and delete runs."""

    def __init__(
        self,
        settings: Settings,
        store: RunStore,
        catalogue: Catalogue,
        dispatcher: Dispatcher,
        labels: Labels = no_labels,
    ) -> None:
        self._settings = settings
        self._store = store
        self._catalogue = catalogue
        self._dispatcher = dispatcher
        self._labels = labels

    # Starting and stopping

    def start(self, request: RunRequest) -> RunSummary:
        """Store the run and queue it; answers at once.

        The same `request_id` with the same body gives the run that exists.

        Raises:
            InvalidArgument, TooLarge: a value of the request is wrong for this server or model.
            NotFound: no such model or SAE.
            Conflict: the `request_id` exists with another body.
            Busy: the queue is full.
        """
        if request.request_id and (known := self._known(request)):
            return known
        resolved = self._resolved(request)
        request_id = request.request_id or uuid.uuid4().hex
        saes = [self._catalogue.sae(sae_id) for sae_id in resolved.sae_ids or ()]
        is_new = self._dispatcher.submit(request_id, resolved, request.fingerprint, saes)
        if not is_new and (known := self._known(request)):
            return known  # another caller was faster
        return self.summary(request_id)

    def rerun(self, request_id: str) -> RunSummary:
        """Start the same request as a new run."""
        return self.start(RunRequest.parse(dict(self.view(request_id).request)))

    def cancel(self, request_id: str) -> RunSummary:
        """Stop the run; what it wrote is kept. A finished run stays as it is.

        Raises:
            Conflict: another process works on it.
        """
        is_ours = self._dispatcher.cancel(request_id)
        summary = self.summary(request_id)
        if not is_ours and not summary.status.is_final:
            raise Conflict(f"run {request_id} is executed by another process; cancel it there")
        return summary

    def wait(self, request_id: str, timeout_s: float | None = None) -> RunSummary:
        """Block until the run is final, or `timeout_s` has passed."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            is_ours = self._dispatcher.wait(request_id, left)
            summary = self.summary(request_id)
            if summary.status.is_final or (left is not None and left <= 0):
                return summary
            if not is_ours:
                time.sleep(_FOLLOW_DATABASE_S)

    # Following

    def live(self, request_id: str) -> LiveRun:
        """What the run has written up to now."""
        return self._dispatcher.live(request_id) or _live_of(self.view(request_id))

    def follow(self, request_id: str, every_s: float = 0.2) -> Iterator[LiveRun]:
        """The run's state whenever it changed, until and including its final one."""
        seen: LiveRun | None = None
        while True:
            live = self.live(request_id)
            if live != seen:
                seen = live
                yield live
            if live.status.is_final:
                return
            if not self._dispatcher.wait(request_id, every_s):
                time.sleep(max(every_s, _FOLLOW_DATABASE_S))

    # Reading

    def summary(self, request_id: str) -> RunSummary:
        """The run's line of the listing.

        Raises:
            NotFound: no such run.
        """
        return self._store.summary(request_id)

    def view(self, request_id: str) -> RunView:
        """Everything of the run.

        Raises:
            NotFound: no such run.
        """
        return self._store.view(request_id)

    def list(self, query: RunQuery) -> RunPage:
        """One page of runs, newest first."""
        return self._store.page(query)

    def strengths(
        self, sae_id: str, feature_id: int, request_ids: Sequence[str]
    ) -> dict[str, FeatureInRun]:
        """How the feature fired in those of the runs in which it did."""
        return self._store.strengths(sae_id, feature_id, request_ids)

    def rows(self, request_id: str, query: RowQuery) -> tuple[Rows, int]:
        """The rows that pass the filters, `offset` to `offset + limit`, and how many there are."""
        columns = analysis.row_columns(self.view(request_id), query)
        stop = None if query.limit is None else query.offset + query.limit
        return columns.rows(query.offset, stop), len(columns)

    def top_features(self, request_id: str, query: TopQuery) -> TopFeatures:
        """The strongest features over the chosen positions."""
        return analysis.top_features(self.view(request_id), query)

    def deltas(self, request_id: str, query: DeltaQuery) -> FeatureDeltas:
        """One feature's value by position, and its change."""
        baseline = self.view(query.baseline) if query.baseline else None
        return analysis.deltas(self.view(request_id), query, baseline)

    def export(
        self, request_id: str, what: What, format: Format, query: RowQuery | TopQuery | None = None
    ) -> Download:
        """The run, or a table of it, as a file."""
        default = TopQuery(n=None) if what == "top-features" else RowQuery()
        return export(self.view(request_id), what, format, query or default, self._labels)

    def code(self, request_id: str, language: Language) -> str:
        """The run as a Python script or a curl command."""
        settings = self._settings
        needs_token = settings.auth_token is not None
        return code(self.view(request_id), language, settings.base_url, needs_token)

    def extract(
        self, request: ExtractRequest
    ) -> tuple[tuple[FeatureTimeline, ...], tuple[Token, ...]]:
        """The features of a given token sequence; nothing is stored.

        Raises:
            InvalidArgument: a token id or the length does not fit the model.
            NotFound: no such model or SAE.
            Busy: the queue is full.
        """
        model_id, sae_ids = self._catalogue.resolve(
            request.model_id, request.sae_ids, request.sae_id, request.sae_layer
        )
        return self._dispatcher.extract(model_id, sae_ids, request.token_ids, request.top_k)

    # Changing

    def set_notes(self, request_id: str, notes: str) -> RunSummary:
        """Replace the run's notes."""
        if len(notes) > 10_000:
            raise TooLarge(f"notes have {len(notes)} characters; at most 10,000 are kept")
        self._store.set_notes(request_id, notes)
        return self.summary(request_id)

    def delete(self, request_id: str) -> None:
        """Remove the run and all that belongs to it.

        Raises:
            NotFound: no such run.
            Conflict: it is still under way.
        """
        self._store.delete(request_id)

    # Inside

    def _known(self, request: RunRequest) -> RunSummary | None:
        """The run that has the request's id already; None when there is none."""
        fingerprint = self._store.fingerprint(str(request.request_id))
        if fingerprint is None:
            return None
        if fingerprint != request.fingerprint:
            raise Conflict(
                f"request_id {request.request_id} belongs to a run with another body; leave the "
                "id out, or choose another",
                request_id=request.request_id,
            )
        return self.summary(str(request.request_id))

    def _resolved(self, request: RunRequest) -> RunRequest:
        """The request with model, SAEs and seed named, checked against this server's limits."""
        settings = self._settings
        if len(request.prompt) > settings.max_prompt_chars:
            raise TooLarge(
                f"the prompt has {len(request.prompt)} characters; this server reads at most "
                f"{settings.max_prompt_chars} (ACTISCOPE_MAX_PROMPT_CHARS)"
            )
        if request.max_tokens > settings.max_new_tokens:
            raise InvalidArgument(
                f"max_tokens is {request.max_tokens}; this server writes at most "
                f"{settings.max_new_tokens} (ACTISCOPE_MAX_NEW_TOKENS)"
            )
        model_id, sae_ids = self._catalogue.resolve(
            request.model_id, request.sae_ids, request.sae_id, request.sae_layer
        )
        named = {
            "model_id": model_id,
            "sae_ids": sae_ids if request.wants_features else (),
            "sae_id": None,
            "sae_layer": None,
            "seed": random.randrange(2**32) if request.seed is None else request.seed,  # noqa: S311
            "request_id": None,
        }
        return request.model_copy(update=named)


def _live_of(view: RunView) -> LiveRun:
    """A run that this process does not work on, as its row has it."""
    summary = view.summary
    prompt = tuple(t for t in view.tokens if t.segment is Segment.PROMPT)
    writing_s = float(view.provenance.get("writing_s") or 0)
    return LiveRun(
        request_id=summary.request_id,
        status=summary.status,
        phase="done" if summary.status.is_final else "elsewhere",
        prompt_tokens=prompt,
        output_tokens=view.tokens[len(prompt) :],
        max_tokens=int(view.request["max_tokens"]),
        tokens_per_s=summary.output_tokens / writing_s if writing_s else 0.0,
        queue_position=0,
        error_message=summary.error_message,
    )
