"""Gathers the evidence: what stands in the way of measuring, the measurement, the trials."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.errors import Unsupported
from services.lm.device import memory_guard
from services.lm.hooks import resolve
from services.sae.decode import load_decoder, metadata, target_of
from services.sae.preflight.bos import bos_facts, loss_without_bos
from services.sae.preflight.curves import Curves
from services.sae.preflight.evidence import BosFacts, Evidence, broken, suspicious
from services.sae.preflight.measure import Measured, Measurement, Points
from services.sae.preflight.trials import in_layer, other_layers, try_fits
from services.sae.preflight.weights import weight_facts
from services.types import Verdict

if TYPE_CHECKING:
    from services.lm.hooks import HookPoint
    from services.lm.language_model import LanguageModel
    from services.sae.catalogue import SaeEntry
    from services.sae.decode import Decoder
    from services.sae.loader import Sae
    from services.sae.preflight.text import Windows
    from services.types import Finding

Progress = Callable[[int, int], None]


def gather(
    lm: LanguageModel,
    sae: Sae,
    entry: SaeEntry,
    windows: Windows,
    evidence: Evidence,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> tuple[Evidence, Curves] | None:
    """`evidence` completed, and curves; None when told to stop."""
    evidence = replace(
        evidence, bos=bos_facts(lm), unknown_tokens=_unknown(lm, windows), obstacles=()
    )
    points, obstacles = _find_points(lm, entry)
    obstacles += _vocabulary(lm, windows)
    evidence = replace(evidence, obstacles=tuple(obstacles))
    if points is None or any(f.verdict is Verdict.BROKEN for f in obstacles):
        return evidence, {}
    with memory_guard("to measure the SAE"):
        decoder = load_decoder(sae, entry)
        measurement = Measurement(lm, sae, decoder, points, windows)
        if not measurement.run(progress, should_stop):
            return None
        measured = measurement.result()
        evidence = _with_measured(evidence, entry, decoder, measured)
        if measured.problem is None:
            evidence = _with_trials(evidence, lm, sae, decoder, (points, windows, measured))
    del decoder
    gc.collect()
    return evidence, measured.curves


def _with_measured(
    evidence: Evidence, entry: SaeEntry, decoder: Decoder, measured: Measured
) -> Evidence:
    obstacles = evidence.obstacles
    if measured.problem is not None:
        obstacles = (*obstacles, measured.problem)
    return replace(
        evidence,
        metrics=measured.metrics,
        n_counted=measured.n_counted,
        by_stretch=measured.by_stretch,
        weights=weight_facts(entry.config, decoder.weights),
        obstacles=obstacles,
    )


def _with_trials(
    evidence: Evidence,
    lm: LanguageModel,
    sae: Sae,
    decoder: Decoder,
    read: tuple[Points, Windows, Measured],
) -> Evidence:
    points, windows, measured = read
    bos: BosFacts | None = evidence.bos
    if bos is not None and bos.exists and not bos.is_added:
        loss = loss_without_bos(lm, sae, decoder, points, windows)
        bos = replace(bos, loss_without=loss)
    fits = try_fits(sae, decoder, measured.sample, evidence.metric("l0") or 0.0)
    return replace(evidence, fits=fits, bos=bos)


def _find_points(lm: LanguageModel, entry: SaeEntry) -> tuple[Points | None, list[Finding]]:
    try:
        source = resolve(lm.model, entry.capture_name)
    except Unsupported as error:
        return None, [
            broken("no_hook", error.message, "give the hook name that the SAE was trained at")
        ]
    width, d_in = source.width, entry.config.d_in
    if width is not None and width != d_in:
        return None, [_wrong_width(entry, f"{lm.info.model_id} has {width} there")]
    name = target_of(entry)
    target = _resolved(lm, name)
    others = {
        layer: (at, to)
        for layer, read in other_layers(entry.capture_name, lm.info.n_layers).items()
        if (at := _resolved(lm, read)) is not None and at.width == width
        if (to := at if target == source else _resolved(lm, _moved(name, layer))) is not None
    }
    if target is None:
        is_summed = bool(metadata(entry).get("decoder_is_summed"))
        return Points(source, None), [_summed() if is_summed else _not_measured(name)]
    return Points(source, target, others), []


def _moved(name: str | None, layer: int) -> str | None:
    return None if name is None else in_layer(name, layer)


def _resolved(lm: LanguageModel, name: str | None) -> HookPoint | None:
    if name is None:
        return None
    with suppress(Unsupported):
        return resolve(lm.model, name)
    return None


def _wrong_width(entry: SaeEntry, has: str) -> Finding:
    return broken(
        "wrong_width",
        f"the SAE reads {entry.config.d_in} numbers per token at {entry.info.hook_name}, {has}",
        "register it for the model it was trained on",
    )


def _not_measured(name: str | None) -> Finding:
    where = f"writes at {name}, which this model lacks" if name else "does not say where it writes"
    return suspicious(
        "not_measured",
        f"it {where}: its reconstruction could not be measured, only how many features fire",
        "add `hook_name_out` to the metadata in cfg.json and measure again",
    )


def _summed() -> Finding:
    return suspicious(
        "not_measured",
        "it is one layer of a cross-layer transcoder, which writes to many: its decoders are "
        "summed here, so that what it reconstructs is no layer's output. Its reconstruction was "
        "not measured, only how many features fire",
        "use its features; figures of reconstruction mean nothing here",
    )


def _vocabulary(lm: LanguageModel, windows: Windows) -> list[Finding]:
    embeddings: Any = lm.model.get_input_embeddings()
    rows = int(embeddings.weight.shape[0])
    highest = max((max(row) for row in windows.rows), default=-1)
    size = len(lm.tokenizer)
    message = f"its tokenizer has {size} ids, the model has embeddings for {rows}"
    remedy = "put the model's own tokenizer files beside its weights"
    if highest >= rows:
        return [broken("tokenizer", message, remedy)]
    return [suspicious("tokenizer", message, remedy)] if size > rows else []


def _unknown(lm: LanguageModel, windows: Windows) -> float | None:
    unknown = lm.tokenizer.unk_token_id
    if unknown is None or not windows.n_tokens or unknown in (lm.tokenizer.bos_token_id,):
        return None
    ids = [id for row in windows.rows for id in row]
    return ids.count(unknown) / len(ids)
