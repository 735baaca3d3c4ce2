"""One preflight from loaded model and SAE to report."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from services.sae.preflight.causes import worst
from services.sae.preflight.evidence import METRICS, Evidence
from services.sae.preflight.judge import judge
from services.sae.preflight.stated import Stated, read_stated
from services.sae.preflight.text import TOKEN_LIMIT, cut_windows, slice_sha256, token_limit
from services.types import PreflightReport

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel
    from services.sae.catalogue import SaeEntry
    from services.sae.loader import Sae
    from services.sae.preflight.curves import Curves
    from services.sae.preflight.text import Windows

NOTHING_PUBLISHED: Mapping[str, float] = {}


def preflight(
    lm: LanguageModel,
    sae: Sae,
    entry: SaeEntry,
    *,
    published: Mapping[str, float] = NOTHING_PUBLISHED,
    trained_on_this: bool | None = None,
    max_tokens: int = TOKEN_LIMIT,
    progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> PreflightReport | None:
    """Measure `sae` on the activations of `lm`; None when `should_stop` said so.

    `published` are figures as the publisher states them, by the names of the metrics;
    `trained_on_this` says whether the SAE was trained on this very model, None if unknown.
    At most `max_tokens` of the text are read, fewer with a large model on a CPU.
    `progress` is told the tokens read and how many there are. What is wrong with the pair is a
    finding, never an exception. The caller sees to it that nobody else uses the model meanwhile.

    Raises `Unsupported` for a file that cannot be read any more, and `ResourceExhausted`.
    """
    from services.sae.preflight.gather import gather

    started = time.monotonic()
    stated = read_stated(entry, published)
    bos_id = lm.tokenizer.bos_token_id if stated.prepend_bos else None
    windows = cut_windows(lm, bos_id, min(max_tokens, token_limit(lm)))
    evidence = _empty_evidence(lm, entry, stated, trained_on_this)
    gathered = gather(lm, sae, entry, windows, evidence, progress, should_stop)
    if gathered is None:
        return None
    return _report((lm, sae, entry), windows, gathered, started)


def _report(
    pair: tuple[LanguageModel, Sae, SaeEntry],
    windows: Windows,
    gathered: tuple[Evidence, Curves],
    started: float,
) -> PreflightReport:
    (lm, sae, entry), (evidence, curves) = pair, gathered
    findings = judge(evidence)
    return PreflightReport(
        preflight_id=uuid.uuid4().hex,
        sae_id=entry.info.sae_id,
        model_id=lm.info.model_id,
        created_at=datetime.now(UTC),
        verdict=worst(findings),
        findings=findings,
        metrics=_all_metrics(evidence),
        published=evidence.stated.published,
        conditions=_conditions(lm, sae, entry, windows, evidence),
        curves=curves,
        sae_revision=sae.info.revision,
        model_revision=lm.info.revision,
        duration_s=time.monotonic() - started,
    )


def _empty_evidence(
    lm: LanguageModel, entry: SaeEntry, stated: Stated, trained_on_this: bool | None
) -> Evidence:
    return Evidence(
        sae_id=entry.info.sae_id,
        model_id=lm.info.model_id,
        hook_name=entry.info.hook_name,
        trained_on=entry.config.model_name,
        d_in=entry.config.d_in,
        d_sae=entry.config.d_sae,
        n_vocab=lm.info.n_vocab,
        trained_on_this=trained_on_this,
        stated=stated,
        metrics={},
        n_counted=0,
    )


def _all_metrics(evidence: Evidence) -> dict[str, float | None]:
    found = {**evidence.metrics, "expected_norm": evidence.stated.input_norm}
    return {name: found.get(name) for name in METRICS}


def _conditions(
    lm: LanguageModel, sae: Sae, entry: SaeEntry, windows: Windows, evidence: Evidence
) -> dict[str, Any]:
    bos, fits = evidence.bos, evidence.fits
    return {
        "text": "a slice shipped with Actiscope: stories, facts, letters, dialogue and Python",
        "text_sha256": slice_sha256(),
        "windows": len(windows.rows),
        "window_tokens": windows.length,
        "tokens_read": windows.n_tokens,
        "tokens_counted": evidence.n_counted,
        "bos": "in front of each window" if windows.first else "none",
        "tokenizer_adds_bos": bool(bos and bos.is_added),
        "counted": "all but special tokens and the first position of each window",
        "read_at": entry.capture_name,
        "reconstructed_at": _target(entry),
        "spliced": "the reconstruction at all positions but the first of each window",
        "zero_ablation": "zeros at the same positions",
        "model_dtype": str(lm.dtype).removeprefix("torch."),
        "sae_dtype": _dtype(sae),
        "device": str(lm.device),
        "sae_context": evidence.stated.context_size,
        "model_context": lm.n_ctx,
        "trained_on": entry.config.model_name,
        "trained_on_this": evidence.trained_on_this,
        "explained_variance_by_layer": _by_layer(entry, evidence) if fits is not None else None,
    }


def _target(entry: SaeEntry) -> str:
    from services.sae.decode import metadata, target_of

    is_summed = bool(metadata(entry).get("decoder_is_summed"))
    no_place = "no place: its decoders for many layers are summed" if is_summed else "not known"
    return target_of(entry) or no_place


def _dtype(sae: Any) -> str:
    tensor = getattr(sae, "W_enc", None)
    tensor = getattr(sae, "sae", None) if tensor is None else tensor
    return str(getattr(tensor, "dtype", "")).removeprefix("torch.")


def _by_layer(entry: SaeEntry, evidence: Evidence) -> str:
    assert evidence.fits is not None
    values = {**evidence.fits.layers, entry.config.layer: evidence.fits.own}
    return ", ".join(f"{layer}: {values[layer]:.2f}" for layer in sorted(values))
