"""The verdict on made evidence, and the small parts that need no model."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

import services.sae.preflight as package
from services.sae.preflight.causes import worst
from services.sae.preflight.evidence import BosFacts, Evidence, Fit, Fits, WeightFacts
from services.sae.preflight.judge import judge
from services.sae.preflight.stated import Stated
from services.sae.preflight.text import slice_sha256, slice_text
from services.sae.preflight.thresholds import LIMITS
from services.sae.preflight.trials import in_layer, other_layers
from services.types import Verdict

SOUND = Evidence(
    sae_id="s",
    model_id="m",
    hook_name="blocks.12.hook_resid_post",
    trained_on="m",
    d_in=2304,
    d_sae=16_384,
    n_vocab=256_000,
    trained_on_this=True,
    stated=Stated(True, True, 1024, None, {"l0": 71.0, "explained_variance": 0.8}),
    metrics={
        "l0": 80.0, "explained_variance": 0.72, "loss_recovered": 0.97, "ce_model": 2.9,
        "dead_share": 0.6, "input_norm": 150.0,
    },
    n_counted=4000,
    fits=Fits(0.72, {11: 0.6, 13: 0.65}, Fit(1.19, 0.73), Fit(1.0, 0.72), Fit(80, 0.72)),
    weights=WeightFacts(0.0, 0.0, 0.001, False, False),
    bos=BosFacts(True, True, None, None),
    unknown_tokens=0.0,
)  # fmt: skip


def codes(evidence):
    return {finding.code for finding in judge(evidence)}


def with_metrics(**metrics):
    return replace(SOUND, metrics={**SOUND.metrics, **metrics})


def test_a_sound_pair_has_no_findings_and_is_good():
    assert judge(SOUND) == ()
    assert worst(()) is Verdict.GOOD


def test_few_tokens_do_not_make_a_wide_sae_dead():
    assert "dead" not in codes(with_metrics(dead_share=0.9))
    assert "dead" in codes(replace(with_metrics(dead_share=0.9), n_counted=400_000))


@pytest.mark.parametrize(
    ("metrics", "code"),
    [
        ({"l0": 5000.0}, "too_dense"),
        ({"l0": 0.4}, "too_sparse"),
        ({"l0": 200.0}, "l0_differs"),
        ({"explained_variance": 0.55}, "ev_differs"),
        ({"loss_recovered": 0.6}, "loss_worse"),
        ({"ce_model": 12.4}, "model_guesses"),
        ({"explained_variance": 0.1}, "not_reconstructing"),
    ],
)
def test_each_measure_has_its_finding(metrics, code):
    findings = {f.code: f for f in judge(with_metrics(**metrics))}
    assert code in findings
    assert findings[code].message
    assert findings[code].remedy


def test_an_sae_that_writes_elsewhere_may_recover_less_of_the_loss():
    attention = replace(with_metrics(loss_recovered=0.6), hook_name="blocks.3.attn.hook_z")
    assert codes(attention) == set()


def test_broken_comes_before_suspicious_and_decides():
    findings = judge(with_metrics(l0=5000.0, explained_variance=0.55))
    verdicts = [finding.verdict for finding in findings]
    assert verdicts == sorted(verdicts, key=lambda v: v is not Verdict.BROKEN)
    assert worst(findings) is Verdict.BROKEN


def test_a_decoder_unlike_its_encoder_matters_only_where_the_sae_fails():
    untied = replace(SOUND, weights=WeightFacts(0.0, 0.0, 0.9, False, False))
    assert codes(untied) == set()
    failing = replace(untied, metrics={**SOUND.metrics, "explained_variance": 0.4})
    assert "decoder_damaged" in codes(failing)


def test_a_short_context_is_told_when_the_error_grows_beyond_it():
    stretches = tuple((8 * i, 0.2 if 8 * i < 128 else 0.4) for i in range(32))
    short = replace(SOUND.stated, context_size=128)
    assert codes(replace(SOUND, stated=short, by_stretch=stretches)) == {"context_short"}
    assert codes(replace(SOUND, by_stretch=stretches)) == set()


def test_a_missing_bos_is_told_by_what_it_costs():
    assert codes(replace(SOUND, bos=BosFacts(True, False, None, 0.3))) == {"missing_bos"}
    assert codes(replace(SOUND, bos=BosFacts(True, False, None, 0.02))) == set()


def test_a_pair_that_could_not_be_measured_is_not_judged_by_numbers():
    nothing = replace(SOUND, metrics={}, n_counted=0, fits=None, weights=None, bos=None)
    assert judge(nothing) == ()


def test_every_limit_has_a_reason_and_an_order():
    for name, limit in LIMITS.items():
        assert len(limit.why) > 20, name
        if limit.suspicious is not None and limit.broken is not None:
            assert (limit.broken < limit.suspicious) is limit.is_floor, name


def test_every_metric_and_every_finding_is_defined_in_the_package():
    folder = Path(package.__file__).parent
    sources = "".join(path.read_text() for path in folder.glob("*.py"))
    assert package.__doc__ is not None
    for name in package.METRICS:
        assert name in package.__doc__
    import re

    found = set(re.findall(r'(?:broken|suspicious|Finding)\(\s*"(\w+)"', sources))
    assert len(found) >= 15
    for code in found:
        assert code in package.__doc__, code


def test_other_layers_are_the_next_and_some_far_ones():
    assert set(other_layers("blocks.1.hook_resid_post", 4)) == {0, 2, 3}
    assert other_layers("model.layers.1.output", 3)[2] == "model.layers.2.output"
    far = other_layers("blocks.12.hook_resid_post", 26)
    assert {11, 13} <= set(far)
    assert len(far) <= 6
    assert 12 not in far
    assert in_layer("blocks.3.ln2.hook_normalized", 7) == "blocks.7.ln2.hook_normalized"
    assert other_layers("hook_embed", 4) == {}


def test_the_text_is_the_shipped_one():
    assert 2000 < len(slice_text().split()) < 3000
    assert slice_sha256() == hashlib.sha256(slice_text().encode()).hexdigest()
    assert slice_text().isascii()
