"""From evidence to findings: what is wrong with the pair, how bad it is, what to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from services.sae.preflight.causes import find_cause, share_text
from services.sae.preflight.evidence import Evidence, broken, suspicious
from services.sae.preflight.thresholds import CHANCES, LIMITS
from services.types import Finding, Verdict

Findings = Iterator[Finding]


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """All findings, the worst first; () when nothing speaks against the pair."""
    findings = list(evidence.obstacles)
    if evidence.n_counted:
        causes = find_cause(evidence)
        findings += causes
        findings += _reconstruction(evidence, explained=bool(causes))
    for check in _CHECKS:
        findings += check(evidence)
    return tuple(sorted(findings, key=lambda finding: finding.verdict is not Verdict.BROKEN))


def _reconstruction(evidence: Evidence, *, explained: bool) -> Findings:
    value = evidence.metric("explained_variance")
    verdict = LIMITS["explained_variance"].judge(value)
    if value is None or verdict is None:
        if evidence.trained_on_this is False:
            yield _transfer(evidence)
        return
    yield Finding(
        "not_reconstructing",
        verdict,
        f"it explains {share_text(value)} of the variance at {evidence.hook_name}; trained SAEs "
        "explain 0.6 to 0.95",
        "see the other findings for the cause"
        if explained
        else "check which model and which layer the SAE was trained on",
    )
    if not explained and verdict is Verdict.BROKEN and evidence.trained_on_this is not True:
        yield _wrong_model(evidence)
    elif evidence.trained_on_this is False:
        yield _transfer(evidence)


def _wrong_model(evidence: Evidence) -> Finding:
    is_other = evidence.trained_on not in ("", evidence.model_id)
    other = f"; it says it was trained on {evidence.trained_on}" if is_other else ""
    return broken(
        "wrong_model",
        f"no other layer, scale or number of features makes it fit {evidence.model_id}: the SAE "
        f"belongs to another model of the same width, or was never trained{other}",
        "register it for the model it was trained on",
    )


def _transfer(evidence: Evidence) -> Finding:
    return suspicious(
        "transfer",
        f"it was trained on {evidence.trained_on or 'another model'} and is used on "
        f"{evidence.model_id}: features may mean something else here",
        "use an SAE trained on this model where there is one; otherwise say so with the results",
    )


def _sparsity(evidence: Evidence) -> Findings:
    l0 = evidence.metric("l0")
    if l0 is None:
        return
    share = l0 / evidence.d_sae
    verdict = LIMITS["l0_share"].judge(share)
    if verdict is not None:
        yield Finding(
            "too_dense",
            verdict,
            f"{l0:.0f} of {evidence.d_sae} features fire per token ({share:.0%}): nothing sparse",
            "check the architecture, the threshold and the scale of the SAE",
        )
    verdict = LIMITS["l0"].judge(l0)
    if verdict is not None:
        yield Finding(
            "too_sparse",
            verdict,
            f"{l0:.2g} features fire per token: next to nothing is described",
            "check the threshold and the scale of the SAE, and that it belongs to this layer",
        )


def _against_published(evidence: Evidence) -> Findings:
    published = evidence.stated.published
    l0, said = evidence.metric("l0"), published.get("l0")
    if l0 is not None and said is not None:
        factor = max(l0 / said, said / l0) if l0 > 0 else math.inf
        verdict = LIMITS["l0_factor"].judge(factor)
        if verdict is not None:
            yield Finding(
                "l0_differs",
                verdict,
                f"L0 is {l0:.3g} here, its publisher states {said:.3g}",
                "check threshold, scale and layer; a text far from its training text moves L0 too",
            )
    value, said = evidence.metric("explained_variance"), published.get("explained_variance")
    if value is None or said is None:
        return
    verdict = LIMITS["explained_variance_gap"].judge(said - value)
    if verdict is not None:
        yield Finding(
            "ev_differs",
            verdict,
            f"explained variance is {value:.3g} here, its publisher states {said:.3g}",
            "compare on text like that of its training; if it stays, the SAE is not run as trained",
        )


def _loss(evidence: Evidence) -> Findings:
    value, said = (
        evidence.metric("loss_recovered"),
        evidence.stated.published.get("loss_recovered"),
    )
    if value is None:
        return
    limit = "loss_recovered" if "resid" in evidence.hook_name else "loss_recovered_elsewhere"
    verdicts = {
        LIMITS[limit].judge(value),
        LIMITS["loss_recovered_gap"].judge(said - value if said is not None else None),
    } - {None}
    if verdicts:
        stated = f"; its publisher states {said:.3g}" if said is not None else ""
        yield Finding(
            "loss_worse",
            Verdict.BROKEN if Verdict.BROKEN in verdicts else Verdict.SUSPICIOUS,
            f"with the reconstruction in place the model's loss recovers {value:.3g} of what "
            f"zeros at {evidence.hook_name} cost{stated}",
            "the SAE leaves out what the model uses: see the other findings for the cause",
        )


def _model(evidence: Evidence) -> Findings:
    ce = evidence.metric("ce_model")
    guess = math.log(evidence.n_vocab)
    if ce is not None and LIMITS["guessing"].judge(ce / guess):
        yield suspicious(
            "model_guesses",
            f"{evidence.model_id} predicts the text no better than by guessing ({ce:.2f} nats per "
            f"token, guessing costs {guess:.2f})",
            "check its weights and that the tokenizer is its own; an untrained model does this",
        )
    verdict = LIMITS["unknown_tokens"].judge(evidence.unknown_tokens)
    if verdict is not None:
        yield Finding(
            "tokenizer",
            verdict,
            f"its tokenizer cannot spell {evidence.unknown_tokens:.0%} of an English text",
            "check that the tokenizer is the model's own",
        )


def _norms(evidence: Evidence) -> Findings:
    norm, said = evidence.metric("input_norm"), evidence.stated.input_norm
    if not norm or not said:
        return
    verdict = LIMITS["norm_factor"].judge(max(norm / said, said / norm))
    if verdict is not None:
        yield Finding(
            "scale_off",
            verdict,
            f"activations at {evidence.hook_name} have a mean norm of {norm:.3g}, the SAE was "
            f"trained on {said:.3g}",
            "check the layer and the model, and the norm scaling factor of the SAE",
        )


def _dead(evidence: Evidence) -> Findings:
    l0, share = evidence.metric("l0"), evidence.metric("dead_share")
    if l0 is None or share is None or l0 * evidence.n_counted < CHANCES * evidence.d_sae:
        return
    if LIMITS["dead_share"].judge(share):
        yield suspicious(
            "dead",
            f"{share:.0%} of the features never fire on {evidence.n_counted} tokens, though each "
            f"had {l0 * evidence.n_counted / evidence.d_sae:.0f} chances by the mean",
            "check that the SAE is complete and belongs to this layer; dead features stay silent",
        )


def _context(evidence: Evidence) -> Findings:
    size = evidence.stated.context_size
    if size is None:
        return
    within = [fvu for start, fvu in evidence.by_stretch if start < size]
    beyond = [fvu for start, fvu in evidence.by_stretch if start >= size]
    if not within or not beyond or sum(within) <= 0:
        return
    factor = (sum(beyond) / len(beyond)) / (sum(within) / len(within))
    if LIMITS["context_factor"].judge(factor):
        yield suspicious(
            "context_short",
            f"it was trained on contexts of {size} tokens; beyond them its error is "
            f"{factor:.1f} times as large",
            f"trust its features in the first {size} tokens only",
        )


def _bos(evidence: Evidence) -> Findings:
    bos = evidence.bos
    if bos is None:
        return
    if bos.doubled_by is not None:
        yield suspicious(
            "doubled_bos",
            f"{bos.doubled_by} puts BOS in front of a text twice: every position is shifted by "
            "one against the text that the SAE was trained on",
            "take BOS out of the chat template or of the tokenizer's post-processor",
        )
    if evidence.stated.says_bos and not bos.exists:
        yield suspicious(
            "missing_bos",
            "it was trained on texts that begin with BOS, and the tokenizer has none",
            "do not trust its features at the first tokens of a text",
        )
    elif LIMITS["bos_gap"].judge(bos.loss_without):
        yield suspicious(
            "missing_bos",
            f"it was trained on texts that begin with BOS; the tokenizer does not add it, and "
            f"without it {bos.loss_without:.2f} less of the variance is explained",
            "begin raw prompts with BOS, or use the chat template",
        )


_CHECKS: tuple[Callable[[Evidence], Findings], ...] = (
    _sparsity,
    _against_published,
    _loss,
    _model,
    _norms,
    _dead,
    _context,
    _bos,
)
