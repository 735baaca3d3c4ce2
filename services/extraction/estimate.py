"""What an extraction will take, told before it is started; every figure says what it rests on."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import fsspec

from services.extraction.checking import Chosen
from services.extraction.parts import Parts
from services.extraction.requests import ExtractionQuery, StartExtraction
from services.extraction.sampling import Sample, Tokens, count, take_sample
from services.extraction.timing import time_windows
from services.lm.memory import gigabytes, model_bytes, sae_bytes
from services.sae.catalogue import SaeEntry
from services.store.spec import Layout
from services.types import ExtractionEstimate, ExtractionView

DEFAULT_L0_SHARE, DEFAULT_L0_MOST = 0.01, 64.0  # where nothing is known of an SAE
_BATCH_TOKENS = 8192  # where none are asked for
_TOKEN_BYTES = 10.0  # per stored token: its id, where its features begin, statistics
_FEATURE_MAJOR_BYTES = 6.0  # per activation: position and value
_BUILD_SHARE = 1.15  # what writing and merging add to reading with the model


@dataclass
class _Notes:
    """What the figures rest on."""

    lines: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)


def estimate(parts: Parts, request: StartExtraction, chosen: Chosen) -> ExtractionEstimate:
    """Tokens, time, memory and disk of an extraction."""
    notes = _Notes()
    from services.extraction.plan import context_of  # with torch

    corpus = parts.corpora.open(chosen.corpus.corpus_id)
    sample = take_sample(corpus, chosen.model)
    context = context_of(request.packing, chosen.model.info.n_ctx, chosen.saes)
    tokens = count(corpus, sample, request, context)
    notes.add(
        f"tokens: {chosen.corpus.n_chars:,} characters, {sample.tokens_per_char:.3f} tokens each "
        f"as in {len(sample.ids)} documents"
    )
    if tokens.n_documents < chosen.corpus.n_documents and request.sample_seed is None:
        notes.add(
            f"documents: the first {tokens.n_documents:,} of {chosen.corpus.n_documents:,}; with a "
            "sample seed they are drawn at random"
        )
    l0 = {sae.info.sae_id: _l0(parts, sae, notes) for sae in chosen.saes}
    disk = {s.info.sae_id: _disk(s, request, tokens, l0[s.info.sae_id]) for s in chosen.saes}
    merged = max(tokens.n_counted * l0[sae_id] * _FEATURE_MAJOR_BYTES for sae_id in disk)
    disk_bytes = int(sum(disk.values()))
    peak, free = disk_bytes + int(merged), _free_disk(parts)
    if free is not None and peak > free:
        notes.add(f"disk: {gigabytes(peak)} are needed, {gigabytes(free)} are free")
    memory, budget = _memory(parts, request, chosen, tokens, l0), parts.residents.budget()
    if memory > budget:
        notes.add(f"memory: more than the budget of {gigabytes(budget)}; choose fewer SAEs")
    return ExtractionEstimate(
        n_tokens=tokens.n_tokens,
        n_documents=tokens.n_documents,
        seconds=_seconds(parts, chosen, sample, tokens, context, notes),
        memory_bytes=memory,
        budget_bytes=budget,
        disk_bytes=disk_bytes,
        peak_disk_bytes=peak,
        free_disk_bytes=free,
        per_sae={id: {"l0": l0[id], "disk_bytes": float(int(disk[id]))} for id in disk},
        notes=tuple(notes.lines),
    )


def _l0(parts: Parts, sae: SaeEntry, notes: _Notes) -> float:
    """Active features per token: measured here, published, or a default."""
    sae_id = sae.info.sae_id
    for view in _earlier(parts, sae_id):
        if view.live.l0 is not None:
            notes.add(f"L0 of {sae_id}: {view.live.l0:.1f}, as in extraction {view.extraction_id}")
            return view.live.l0
    report = parts.report(sae_id)
    measured = report.metrics.get("l0") if report else None
    published = report.published.get("l0") if report else None
    for value, by in ((measured, "preflight"), (published, "publisher")):
        if value:
            notes.add(f"L0 of {sae_id}: {value:.1f}, by its {by}")
            return value
    if sae.config.k is not None:
        notes.add(f"L0 of {sae_id}: {sae.config.k}, its k")
        return float(sae.config.k)
    assumed = min(DEFAULT_L0_MOST, max(sae.info.d_sae * DEFAULT_L0_SHARE, 1.0))
    notes.add(f"L0 of {sae_id} is not known: {assumed:.0f} assumed; a preflight measures it")
    return assumed


def _disk(sae: SaeEntry, request: StartExtraction, tokens: Tokens, l0: float) -> float:
    feature = 2 if sae.info.d_sae <= 2**16 else 4
    value = 4 if request.precision == "float32" else 2
    per_activation = feature + value + _FEATURE_MAJOR_BYTES + (value - 2)
    return tokens.n_tokens * _TOKEN_BYTES + tokens.n_counted * l0 * per_activation


def _memory(
    parts: Parts,
    request: StartExtraction,
    chosen: Chosen,
    tokens: Tokens,
    l0: dict[str, float],
) -> int:
    layout = Layout()
    info, dtype = chosen.model.info, str(parts.residents.describe()["dtype"])
    batch = min(request.batch_tokens or _BATCH_TOKENS, max(tokens.n_tokens, 1))
    widest = max(sae.info.d_sae for sae in chosen.saes)
    total = model_bytes(info, dtype) + sum(sae_bytes(sae.info) for sae in chosen.saes)
    total += 4 * batch * (8 * info.d_model + len(chosen.saes) * info.d_model + widest)
    part_tokens = min(layout.part_tokens, tokens.n_tokens)
    for sae in chosen.saes:  # a part that fills, and one that is written
        total += 2 * 8 * int(min(part_tokens * l0[sae.info.sae_id], layout.part_nnz))
    nnz = max((tokens.n_counted * l0[sae.info.sae_id] for sae in chosen.saes), default=0.0)
    return total + 16 * int(min(nnz, layout.segment_nnz))


def _seconds(
    parts: Parts, chosen: Chosen, sample: Sample, tokens: Tokens, context: int, notes: _Notes
) -> float | None:
    earlier = _rate(parts, chosen)
    if earlier is not None:
        rate, extraction_id = earlier
        notes.add(f"time: {rate:,.0f} tokens/s, as in extraction {extraction_id}")
        return tokens.n_tokens / rate
    measured = time_windows(parts, chosen, sample.ids, context)
    if measured is None:
        notes.add("time: not known before the model is in memory and nothing else uses it")
        return None
    notes.add(f"time: {measured:,.0f} tokens/s, measured on single windows; batches are faster")
    return _BUILD_SHARE * tokens.n_tokens / measured


def _rate(parts: Parts, chosen: Chosen) -> tuple[float, str] | None:
    """Tokens per second of the newest extraction with the same model and SAEs."""
    wanted = {sae.info.sae_id for sae in chosen.saes}
    for view in _earlier(parts, chosen.saes[0].info.sae_id):
        live = view.live
        if view.job_id is None or len(live.seconds) < 1 or not live.seconds[-1]:
            continue
        others = parts.rows.page(ExtractionQuery(job_id=view.job_id, limit=200)).items
        if {other.sae_id for other in others} == wanted and live.tokens_at[-1]:
            return live.tokens_at[-1] / live.seconds[-1], view.extraction_id
    return None


def _earlier(parts: Parts, sae_id: str) -> Sequence[ExtractionView]:
    return parts.rows.page(ExtractionQuery(sae_id=sae_id, limit=20)).items


def _free_disk(parts: Parts) -> int | None:
    """Of the disk that the stores are on; None where they are on none of this machine."""
    filesystem, root = fsspec.core.url_to_fs(parts.stores.url("x").removesuffix("/x"))
    if "file" not in filesystem.protocol:
        return None
    place = Path(root)
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free
