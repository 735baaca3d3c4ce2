"""Measuring SAEs with their models, and loading models, in the engine's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial

from services.errors import ActiscopeError, NotFound
from services.registry.fresh import is_stale, model_files, sae_files, stamped
from services.registry.jobs import ASIDE, MEASURING, Job, Stopped
from services.registry.naming import same_model
from services.registry.parts import Parts
from services.types import EntryState, ModelCard, PreflightReport, SaeCard, TaskView

log = logging.getLogger(__name__)


def start(parts: Parts, card: SaeCard, model_id: str | None) -> TaskView:
    """A task that measures the SAE.

    Raises:
        NotFound: the SAE or the model is not here, or was deleted.
        Busy: too many tasks are under way.
    """
    sae_id = card.info.sae_id
    model = model_id or card.info.model_id
    parts.saes.get(sae_id)
    if card.state is EntryState.DELETED:
        raise NotFound(f"SAE {sae_id} was deleted: restore it first", id=sae_id)
    if not is_here(parts, model):
        raise NotFound(
            f"SAE {sae_id} is for {model}, which is not on this server: add the model first "
            "(page Models, or `actiscope model add`), or name another with model_id",
            model_id=model,
        )
    job = Job(
        kind="preflight",
        title=f"Preflight of {sae_id} with {model}",
        key=f"preflight {sae_id} {model}",
        lane=MEASURING,
        about=frozenset({("saes", sae_id), ("models", model)}),
    )

    def work(job: Job) -> None:
        measure(parts, job, sae_id, model)
        job.results.append(sae_id)

    return parts.tasks.start(job, work)


def load(parts: Parts, card: ModelCard) -> TaskView:
    """A task that brings the model into memory."""
    model_id = card.info.model_id
    parts.models.get(model_id)
    if card.state is EntryState.DELETED:
        raise NotFound(f"model {model_id} was deleted: restore it first", id=model_id)
    job = Job(
        kind="load_model",
        title=f"Load {model_id}",
        key=f"load {model_id}",
        lane=MEASURING,
        about=frozenset({("models", model_id)}),
    )

    def work(job: Job) -> None:
        job.begin("loading")
        parts.tasks.on_engine(job, lambda: parts.residents.model(model_id))
        job.results.append(model_id)

    return parts.tasks.start(job, work)


def measure(
    parts: Parts,
    job: Job,
    sae_id: str,
    model_id: str,
    gives_way: Callable[[], bool] = lambda: False,
) -> PreflightReport:
    """The report, kept in the table.

    Raises:
        Stopped: the task was cancelled, or it is to give way.
        ActiscopeError: model or SAE cannot be loaded.
    """
    job.about |= {("saes", sae_id), ("models", model_id)}
    job.begin("waiting")
    work = partial(_measured, parts, job, sae_id, model_id, gives_way)
    report = parts.tasks.on_engine(job, work)
    parts.index.known()  # a preflight needs the row of its SAE
    parts.store.keep_preflight(report)
    parts.index.changed()
    return report


def _measured(
    parts: Parts, job: Job, sae_id: str, model_id: str, gives_way: Callable[[], bool]
) -> PreflightReport:
    """In the engine's thread."""
    from services.sae.preflight import preflight

    entry = parts.saes.get(sae_id)
    # As they are before they are read: what changes meanwhile makes the report outdated.
    files = sae_files(entry), model_files(parts.models.get(model_id))
    with parts.residents.hold(model_id, (sae_id,)):
        job.begin("loading")
        lm, sae = parts.residents.model(model_id), parts.residents.sae(sae_id)
        job.begin("measuring", unit="tokens")
        report = preflight(
            lm,
            sae,
            entry,
            published=entry.registration.published if entry.registration else {},
            trained_on_this=was_trained_on(parts, entry.info.trained_on, model_id),
            progress=job.progress,
            should_stop=lambda: job.should_stop() or gives_way(),
        )
    if report is None:
        raise Stopped
    return stamped(report, *files)


def measure_all(parts: Parts, job: Job, sae_ids: Iterable[str]) -> None:
    """Measure those whose model is here and that nobody has measured; failures are problems."""
    for sae_id in sae_ids:
        info = parts.saes.get(sae_id).info
        if not is_here(parts, info.model_id):
            job.problems.append(
                f"{sae_id} is registered, and not measured: its model {info.model_id} is not on "
                "this server; add it, and the SAE is measured then"
            )
            continue
        if is_measured(parts, sae_id):
            continue
        try:
            measure(parts, job, sae_id, info.model_id)
        except ActiscopeError as error:
            job.problems.append(f"{sae_id} is registered, but cannot be measured: {error.message}")


def is_measured(parts: Parts, sae_id: str) -> bool:
    """Whether there is a preflight of the weights that are there now, with its present model."""
    entry = parts.saes.get(sae_id)
    report = parts.index.known().reports.get(sae_id)
    if report is None or report.model_id != entry.info.model_id:
        return False
    return not is_stale(report, entry, parts.models.get(report.model_id))


def is_here(parts: Parts, model_id: str) -> bool:
    """Whether the model can be used on this server."""
    usable = {entry.info.model_id for entry in parts.models.list()}
    return model_id in usable and model_id not in parts.index.deleted("models")


def was_trained_on(parts: Parts, trained_on: str, model_id: str) -> bool | None:
    """Whether the SAE's publisher names this model; None where no name is given."""
    if not trained_on:
        return None
    names = dict(parts.model_names()).get(model_id, ())
    return any(same_model(trained_on, name) for name in (model_id, *names))


def measure_demo(parts: Parts) -> None:
    """Start measuring the demo's SAEs that nobody has measured; never raises."""
    try:
        waiting = [
            entry.info.sae_id
            for entry in parts.saes.list()
            if parts.is_demo(entry.path) and not is_measured(parts, entry.info.sae_id)
        ]
    except ActiscopeError as error:
        log.info("the demo's SAEs are not measured now: %s", error)
    else:
        _start_aside(parts, "Preflight of the demo's SAEs", waiting)


def refresh(parts: Parts, cards: Iterable[SaeCard]) -> None:
    """Measure again what has changed since it was measured, where the model is in memory anyway;
    once for each outdated report. Never raises.
    """
    resident = parts.residents.loaded()["models"]
    waiting = []
    for card in cards:
        if not card.is_stale or card.preflight is None or card.info.model_id not in resident:
            continue
        if card.preflight.preflight_id not in parts.refreshed:
            parts.refreshed.add(card.preflight.preflight_id)
            waiting.append(card.info.sae_id)
    _start_aside(parts, "Preflight of what has changed", waiting)


def _start_aside(parts: Parts, title: str, sae_ids: list[str]) -> None:
    if not sae_ids:
        return
    job = Job("preflight", title, f"aside {' '.join(sae_ids)}", lane=ASIDE)
    try:
        parts.tasks.start(job, lambda job: _measure_aside(parts, job, sae_ids))
    except ActiscopeError as error:
        log.info("%s does not start now: %s", title, error)


def _measure_aside(parts: Parts, job: Job, sae_ids: Iterable[str]) -> None:
    """Measure while nobody wants the engine; whoever does is let through, and it begins again."""
    for sae_id in sae_ids:
        while not is_measured(parts, sae_id):
            job.begin("waiting")
            parts.tasks.wait_until_idle(job)
            if is_measured(parts, sae_id):
                break  # by somebody who asked for it
            try:
                model_id = parts.saes.get(sae_id).info.model_id
                measure(parts, job, sae_id, model_id, parts.tasks.is_awaited)
                break  # once, even if what was measured has changed again meanwhile
            except Stopped:
                job.check()
        job.results.append(sae_id)
