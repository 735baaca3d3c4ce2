"""Cards: what folders, tables and memory say about a model or an SAE, put together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from db.registry_records import ModelRecord, SaeRecord
from services.lm.catalogue import ModelCatalogue, ModelEntry
from services.lm.folders import Problem
from services.registry.fresh import is_stale
from services.registry.index import Known
from services.registry.requests import SaeQuery
from services.sae.catalogue import SaeCatalogue, SaeEntry
from services.types import (
    EntryState,
    ModelCard,
    ModelInfo,
    PreflightReport,
    SaeCard,
    SaeInfo,
    Source,
)

_GONE = "its folder is gone: put it back, add it again, or remove it here"


@dataclass(frozen=True)
class Sight:
    """What is known at one moment."""

    known: Known
    resident: Mapping[str, Collection[str]]  # ids by "models" and "saes"
    budget_bytes: int
    model_bytes: Callable[[ModelInfo], int]


def model_cards(models: ModelCatalogue, saes: SaeCatalogue, sight: Sight) -> dict[str, ModelCard]:
    """Every model by id: usable, unusable, gone and deleted ones."""
    entries = {entry.info.model_id: entry for entry in models.list()}
    problems = {problem.id: problem for problem in models.problems()}
    offered: dict[str, list[SaeInfo]] = {}
    for card in sae_cards(saes, entries, sight).values():
        if card.state is EntryState.READY:
            offered.setdefault(card.info.model_id, []).append(card.info)
    ids = sorted({*entries, *problems, *sight.known.models})
    return {
        id: _model_card(id, entries.get(id), problems.get(id), tuple(offered.get(id, ())), sight)
        for id in ids
    }


def sae_cards(
    saes: SaeCatalogue, models: Mapping[str, ModelEntry], sight: Sight
) -> dict[str, SaeCard]:
    """Every SAE by id, by model, layer and id: usable, unusable, gone and deleted ones."""
    entries = {entry.info.sae_id: entry for entry in saes.list()}
    problems = {problem.id: problem for problem in saes.problems()}
    cards = []
    for id in {*entries, *problems, *sight.known.saes}:
        row, problem = sight.known.saes.get(id), problems.get(id)
        info = entries[id].info if id in entries else _sae_info(id, row)
        path = entries[id].path if id in entries else _path(row, problem)
        card = _sae_card(info, path, row, _state(id in entries, problem, row), sight)
        report = sight.known.reports.get(id)
        stale = report is not None and _is_stale(report, info, entries.get(id), models)
        verdict = report.verdict if report is not None and not stale else None
        cards.append(
            replace(
                card,
                info=replace(info, verdict=verdict),
                problem=_reason(problem, card.state),
                preflight=report,
                is_stale=stale,
            )
        )
    cards.sort(key=lambda card: (card.info.model_id, card.info.layer, card.info.sae_id))
    return {card.info.sae_id: card for card in cards}


def matching(cards: Mapping[str, SaeCard], query: SaeQuery) -> Iterator[SaeCard]:
    """The cards that pass the filters."""
    words = (query.text or "").lower().split()
    for card in cards.values():
        if card.state is EntryState.DELETED and not query.include_deleted:
            continue
        info = card.info
        wanted = (
            (query.source, card.source),
            (query.architecture, info.architecture),
            (query.model_id, info.model_id),
            (query.verdict, info.verdict),
        )
        if any(asked is not None and asked != found for asked, found in wanted):
            continue
        if all(word in _searched(card) for word in words):
            yield card


def _searched(card: SaeCard) -> str:
    info = card.info
    parts = (info.sae_id, info.model_id, info.trained_on, info.hook_name, card.repo_id)
    return " ".join(part for part in (*parts, card.release) if part).lower()


def _model_card(
    id: str,
    entry: ModelEntry | None,
    problem: Problem | None,
    saes: tuple[SaeInfo, ...],
    sight: Sight,
) -> ModelCard:
    row = sight.known.models.get(id)
    state = _state(entry is not None, problem, row)
    info = entry.info if entry is not None else _model_info(id, row)
    return ModelCard(
        info=replace(info, saes=saes),
        source=_source(row),
        state=state,
        path=str(entry.path if entry is not None else _path(row, problem)),
        memory_bytes=sight.model_bytes(info),
        budget_bytes=sight.budget_bytes,
        added_at=_added_at(row),
        problem=_reason(problem, state),
        repo_id=row.repo_id if row else None,
        repo_revision=row.repo_revision if row else None,
        deleted_at=row.deleted_at if row else None,
        is_resident=id in sight.resident["models"],
        runs=sight.known.model_runs.get(id, 0),
    )


def _sae_card(
    info: SaeInfo, path: Path, row: SaeRecord | None, state: EntryState, sight: Sight
) -> SaeCard:
    return SaeCard(
        info=info,
        source=_source(row),
        state=state,
        format=row.format if row else "",
        path=str(path),
        size_bytes=row.size_bytes if row else 0,
        added_at=_added_at(row),
        repo_id=row.repo_id if row else None,
        repo_revision=row.repo_revision if row else None,
        repo_path=row.repo_path if row else None,
        release=row.release if row else None,
        published=dict(row.published) if row else {},
        deleted_at=row.deleted_at if row else None,
        is_resident=info.sae_id in sight.resident["saes"],
        runs=sight.known.sae_runs.get(info.sae_id, 0),
    )


def _is_stale(
    report: PreflightReport,
    info: SaeInfo,
    entry: SaeEntry | None,
    models: Mapping[str, ModelEntry],
) -> bool:
    is_of_model = report.model_id == info.model_id
    return not is_of_model or is_stale(report, entry, models.get(info.model_id))


def _state(
    is_usable: bool, problem: Problem | None, row: ModelRecord | SaeRecord | None
) -> EntryState:
    if row is not None and row.deleted_at is not None:
        return EntryState.DELETED
    if problem is not None:
        return EntryState.UNUSABLE
    return EntryState.READY if is_usable else EntryState.MISSING


def _reason(problem: Problem | None, state: EntryState) -> str | None:
    if problem is not None:
        return problem.reason
    return _GONE if state is EntryState.MISSING else None


def _path(row: ModelRecord | SaeRecord | None, problem: Problem | None) -> Path:
    if problem is not None:
        return problem.path
    return Path(row.local_path) if row is not None else Path()


def _source(row: ModelRecord | SaeRecord | None) -> Source:
    try:
        return Source(row.source) if row is not None else Source.LOCAL
    except ValueError:  # written by a newer version
        return Source.LOCAL


def _added_at(row: ModelRecord | SaeRecord | None) -> datetime:
    return row.created_at if row is not None else datetime.now(UTC)


def _model_info(id: str, row: ModelRecord | None) -> ModelInfo:
    """What the row remembers of a model that cannot be read now."""
    if row is None:
        return ModelInfo(id, 0, 0, 0, 0, None, False, "")
    return ModelInfo(
        model_id=id,
        n_layers=row.n_layers,
        d_model=row.d_model,
        n_ctx=row.n_ctx,
        n_vocab=row.n_vocab,
        n_params=row.n_params,
        has_chat_template=row.has_chat_template,
        revision=row.sha256 or "",
        family=row.family,
        dtype=row.dtype,
        size_bytes=row.size_bytes,
    )


def _sae_info(id: str, row: SaeRecord | None) -> SaeInfo:
    """What the row remembers of an SAE that cannot be read now."""
    if row is None:
        return SaeInfo(id, "", "", 0, 0, 0, "", "")
    return SaeInfo(
        sae_id=id,
        model_id=row.model_id,
        hook_name=row.hook_name,
        layer=row.layer,
        d_in=row.d_in,
        d_sae=row.d_sae,
        architecture=row.architecture,
        revision=row.sha256 or "",
        neuronpedia_id=row.neuronpedia_id,
        trained_on=row.trained_on,
    )
