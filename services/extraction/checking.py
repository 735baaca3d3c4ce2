"""What an extraction needs is there: said before it is accepted, with what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.corpus.packing import Cut, usual_stride
from services.errors import Conflict, InvalidArgument, NotFound, ResourceExhausted, Unsupported
from services.extraction.parts import Parts
from services.extraction.requests import StartExtraction
from services.lm.catalogue import ModelEntry
from services.lm.hooks import FAMILIES
from services.lm.memory import gigabytes, model_bytes, sae_bytes
from services.sae.catalogue import SaeEntry
from services.types import CorpusInfo, Verdict

_BLOCK_HOOK = re.compile(r"blocks\.(\d+)\.(.+)")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a request names."""

    model: ModelEntry
    saes: tuple[SaeEntry, ...]
    corpus: CorpusInfo

    @property
    def model_id(self) -> str:
        """The model that all SAEs are for."""
        return self.model.info.model_id


def choose(parts: Parts, request: StartExtraction) -> Chosen:
    """What the request names.

    Raises:
        NotFound: a model, SAE or corpus is not here, or was deleted.
        InvalidArgument: an option contradicts another, the model or the corpus.
        Unsupported: an SAE is for another model, or reads where this one has nothing.
        Conflict: a preflight found an SAE broken.
        ResourceExhausted: model and SAEs do not fit into the memory budget.
    """
    saes = tuple(map(parts.catalogue.sae_entry, request.sae_ids))
    model = _model(parts, saes)
    parts.catalogue.resolve(model.info.model_id, request.sae_ids, None, None)
    corpus = _corpus(parts, request)
    for sae in saes:
        _check_hook(model, sae)
    if not request.allow_broken:
        _check_verdicts(parts, request.sae_ids)
    _check_packing(request, model, saes)
    _check_memory(parts, model, saes)
    return Chosen(model, saes, corpus)


def _model(parts: Parts, saes: tuple[SaeEntry, ...]) -> ModelEntry:
    model_id, sae_id = saes[0].info.model_id, saes[0].info.sae_id
    try:
        return parts.catalogue.model_entry(model_id)
    except NotFound:
        raise NotFound(
            f"SAE {sae_id} is for {model_id}, which is not on this server: add the model first "
            "(page Models, or `actiscope model add`)",
            model_id=model_id,
        ) from None


def _corpus(parts: Parts, request: StartExtraction) -> CorpusInfo:
    corpus = parts.corpora.get(request.corpus_id)
    if corpus.deleted_at is not None:
        raise NotFound(
            f"corpus {corpus.corpus_id} was deleted: restore it on the page Corpora, or with "
            f"`actiscope corpus restore {corpus.corpus_id}`",
            corpus_id=corpus.corpus_id,
        )
    if not corpus.n_chars:
        raise InvalidArgument(
            f"corpus {corpus.corpus_id} has no text: choose another", corpus_id=corpus.corpus_id
        )
    unknown = [name for name in request.metadata or () if name not in corpus.metadata]
    if unknown:
        known = ", ".join(corpus.metadata) or "none"
        raise InvalidArgument(
            f"corpus {corpus.corpus_id} has no column {unknown[0]!r}; its metadata: {known}",
            metadata=unknown,
        )
    return corpus


def _check_hook(model: ModelEntry, sae: SaeEntry) -> None:
    """As far as names tell; what is not known before loading is said by the job."""
    found = _BLOCK_HOOK.fullmatch(sae.capture_name)
    if found is None:
        return
    layer, point, info = int(found[1]), found[2], model.info
    family = FAMILIES.get(info.family)
    if layer >= info.n_layers or (family is not None and point not in family.points):
        offered = ", ".join(family.points) if family is not None else "…"
        raise Unsupported(
            f"SAE {sae.info.sae_id} reads {sae.capture_name}, which {info.model_id} does not have: "
            f"it has layers 0 to {info.n_layers - 1} with {offered}",
            sae_id=sae.info.sae_id,
            hook_name=sae.capture_name,
        )


def _check_verdicts(parts: Parts, sae_ids: tuple[str, ...]) -> None:
    for sae_id in sae_ids:
        if parts.catalogue.sae(sae_id).verdict is Verdict.BROKEN:
            raise Conflict(
                f"a preflight found SAE {sae_id} broken: its numbers mean nothing. Look at its "
                "report, leave it out, or allow it with allow_broken (`--allow-broken`)",
                sae_id=sae_id,
            )


def _check_packing(request: StartExtraction, model: ModelEntry, saes: tuple[SaeEntry, ...]) -> None:
    packing, n_ctx = request.packing, model.info.n_ctx
    if packing.context is not None and packing.context > n_ctx:
        raise InvalidArgument(
            f"packing.context is {packing.context}, but {model.info.model_id} reads {n_ctx} tokens "
            "at most: choose fewer, or leave it out",
            context=packing.context,
            n_ctx=n_ctx,
        )
    from services.extraction.plan import context_of, reads_bos  # with torch

    context, bos = context_of(packing, n_ctx, saes), reads_bos(packing, saes)
    # What Cut refuses; which token BOS is does not matter to it.
    Cut(context, packing.stride or usual_stride(context), 0 if bos else None, packing.policy)


def _check_memory(parts: Parts, model: ModelEntry, saes: tuple[SaeEntry, ...]) -> None:
    dtype = str(parts.residents.describe()["dtype"])
    needed = model_bytes(model.info, dtype) + sum(sae_bytes(sae.info) for sae in saes)
    budget = parts.residents.budget()
    if needed > budget:
        these = "its SAE" if len(saes) == 1 else f"{len(saes)} SAEs"
        raise ResourceExhausted(
            f"{model.info.model_id} and {these} need about {gigabytes(needed)} together, "
            f"the memory budget is {gigabytes(budget)}: extract with fewer SAEs at a time, or "
            "raise ACTISCOPE_MEMORY_BUDGET_GB",
            needed_bytes=needed,
            budget_bytes=budget,
        )
