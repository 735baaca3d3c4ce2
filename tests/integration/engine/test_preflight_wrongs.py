"""What can be wrong with a pair, put in on purpose: the verdict must catch each and name it.

That the same pairs are good without it is shown in test_preflight_metrics.py and once more here.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from tokenizers import processors

from services.sae.loader import load_sae
from services.sae.preflight import preflight
from services.types import Verdict
from tests import tiny
from tests.integration.engine import demo_pairs
from tests.integration.engine.demo_pairs import CPU, SAES, changed, codes, demo_model, shipped

measured = partial(demo_pairs.measured, max_tokens=512)  # two windows: these wrongs are gross


@pytest.fixture(scope="module")
def lm():
    return demo_model()


@pytest.fixture(scope="module", autouse=True)
def good_as_shipped(lm):
    reports = {sae_id: measured(lm, shipped(sae_id)) for sae_id in SAES}
    for sae_id, report in reports.items():
        assert (report.verdict, report.findings) == (Verdict.GOOD, ()), sae_id
    return reports


def at_layer(layer):
    def cfg(config):
        config["metadata"]["hook_name"] = f"blocks.{layer}.hook_resid_post"
        config["metadata"]["hf_hook_name"] = f"model.layers.{layer}.output"

    return cfg


def without_published(config):
    for name in ("l0", "explained_variance", "loss_recovered", "dead_share"):
        config["metadata"].pop(name, None)


def scaled(factor):
    def tensors(t):
        t["W_enc"] *= factor
        t["W_dec"] /= factor
        t["b_dec"] /= factor

    return tensors


@pytest.mark.parametrize(
    ("sae_id", "layer", "own"), [(SAES[1], 1, 2), (SAES[0], 2, 1), (SAES[1], 3, 2)]
)
def test_the_wrong_layer_is_caught_and_the_right_one_named(lm, tmp_path, sae_id, layer, own):
    report = measured(lm, changed(tmp_path, sae_id, cfg=at_layer(layer)))
    assert report.verdict is Verdict.BROKEN
    (finding,) = [f for f in report.findings if f.code == "wrong_layer"]
    assert f"layer {own} " in finding.message


@pytest.mark.parametrize("sae_id", SAES)
@pytest.mark.parametrize("says", [lambda c: None, without_published])
def test_a_dropped_threshold_is_caught_with_and_without_published_figures(
    lm, tmp_path, sae_id, says
):
    def cfg(config):
        config["architecture"] = "standard"
        says(config)

    report = measured(lm, changed(tmp_path, sae_id, lambda t: t.pop("threshold"), cfg))
    assert {"no_threshold", "too_dense"} <= codes(report, Verdict.BROKEN)
    assert ("l0_differs" in codes(report)) is (says is not without_published)


def test_a_threshold_that_lies_unused_in_the_file_is_caught(lm, tmp_path):
    entry = changed(tmp_path, SAES[0], cfg=lambda c: c.update(architecture="standard"))
    assert "no_threshold" in codes(measured(lm, entry), Verdict.BROKEN)


@pytest.mark.parametrize("sae_id", SAES)
@pytest.mark.parametrize("factor", [0.05, 0.25, 0.5, 2.0, 4.0, 20.0])
def test_a_norm_not_folded_or_folded_twice_is_caught(lm, tmp_path, sae_id, factor):
    entry = changed(tmp_path, sae_id, scaled(factor), without_published)
    report = measured(lm, entry, max_tokens=1024)  # a factor of 2 is a small wrong
    (finding,) = [f for f in report.findings if f.code == "scale_off"]
    assert report.verdict is (Verdict.BROKEN if factor != 2 else Verdict.SUSPICIOUS)
    guess = float(finding.message.split("scaled by ")[1].split()[0])
    assert 0.7 < guess * factor < 1.5


def test_a_decoder_whose_scale_was_forgotten_is_caught(lm, tmp_path):
    def tensors(t):
        t["W_dec"] *= 5
        t["b_dec"] *= 5

    # b_dec is subtracted from the input as well, so only the decoder side may be off.
    def cfg(config):
        config["apply_b_dec_to_input"] = False

    def folded(t):
        t["b_enc"] -= t["b_dec"] @ t["W_enc"]
        tensors(t)

    report = measured(lm, changed(tmp_path, SAES[0], folded, cfg))
    (finding,) = [f for f in report.findings if f.code == "scale_off"]
    assert "decoder" in finding.message


def test_a_norm_that_is_not_the_stated_one_is_caught(lm, tmp_path):
    def cfg(config):
        config["metadata"]["norm_scaling_factor"] = 16 / 50  # mean norm 50, it is 571

    report = measured(lm, changed(tmp_path, SAES[0], cfg=cfg))
    assert report.metrics["expected_norm"] == pytest.approx(50)
    assert codes(report) == {"scale_off"}


def permuted(model, seed=0):
    """The same function in another basis of the residual stream: nothing else differs."""
    model = copy.deepcopy(model)
    order = torch.randperm(model.config.hidden_size, generator=torch.Generator().manual_seed(seed))
    reads = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "embed_tokens", "lm_head")
    state = model.state_dict()
    for name, weight in state.items():
        if weight.ndim == 2 and any(part in name for part in reads):
            state[name] = weight[:, order].clone()
        else:
            state[name] = weight[order].clone()
    model.load_state_dict(state)
    return model


@pytest.fixture(scope="module")
def other(lm):
    return replace(lm, model=permuted(lm.model))


@pytest.mark.parametrize("sae_id", SAES)
@pytest.mark.parametrize("trained_on_this", [None, False])
def test_another_model_of_the_same_width_is_caught(other, good_as_shipped, sae_id, trained_on_this):
    report = measured(other, shipped(sae_id), trained_on_this=trained_on_this)
    assert {"wrong_model", "not_reconstructing"} <= codes(report, Verdict.BROKEN)
    ours = good_as_shipped[sae_id]
    assert report.metrics["ce_model"] == pytest.approx(ours.metrics["ce_model"], rel=1e-4)


def test_a_model_with_random_weights_is_caught(lm):
    torch.manual_seed(0)
    other = replace(lm, model=type(lm.model)(lm.model.config).eval())
    report = measured(other, shipped(SAES[0]))
    assert {"wrong_model", "not_reconstructing"} <= codes(report, Verdict.BROKEN)
    assert "model_guesses" in codes(report)


def test_a_transfer_that_works_is_said_to_be_one(lm):
    report = measured(lm, shipped(SAES[0]), trained_on_this=False)
    assert report.verdict is Verdict.SUSPICIOUS
    assert codes(report) == {"transfer"}


def with_tokenizer(lm, change):
    tokenizer = copy.deepcopy(lm.tokenizer)
    change(tokenizer)
    return replace(lm, tokenizer=tokenizer)


def doubled_by_tokenizer(tokenizer):
    bos = tokenizer.bos_token
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} {bos} $A", special_tokens=[(bos, tokenizer.bos_token_id)]
    )


def doubled_by_template(tokenizer):
    tokenizer.chat_template = "{{ bos_token }}{{ bos_token }}" + tokenizer.chat_template.replace(
        "{{ bos_token }}", ""
    )


@pytest.mark.parametrize("change", [doubled_by_tokenizer, doubled_by_template])
def test_a_doubled_bos_is_caught(lm, change):
    report = measured(with_tokenizer(lm, change), shipped(SAES[0]))
    assert report.verdict is Verdict.SUSPICIOUS
    assert codes(report) == {"doubled_bos"}


def test_a_tokenizer_without_bos_is_told_to_those_who_trained_with_it(lm, tmp_path):
    def forget(tokenizer):
        tokenizer.bos_token = None

    without = with_tokenizer(lm, forget)
    assert "missing_bos" in codes(measured(without, shipped(SAES[0])))
    entry = changed(tmp_path, SAES[0], cfg=lambda c: c["metadata"].pop("prepend_bos"))
    assert "missing_bos" not in codes(measured(without, entry))


def test_a_bos_that_the_tokenizer_does_not_add_is_measured_by_what_it_costs(lm):
    def silent(tokenizer):
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="$A", special_tokens=[]
        )

    report = measured(with_tokenizer(lm, silent), shipped(SAES[0]))
    assert report.conditions["tokenizer_adds_bos"] is False
    assert codes(report) <= {"missing_bos"}


@pytest.mark.parametrize("sae_id", SAES)
def test_half_a_transposed_decoder_is_caught(lm, tmp_path, sae_id):
    def tensors(t):
        for start in range(0, 768, 256):  # three of six square blocks
            t["W_dec"][start : start + 256] = t["W_dec"][start : start + 256].T.clone()

    report = measured(lm, changed(tmp_path, sae_id, tensors, without_published))
    assert "decoder_damaged" in codes(report, Verdict.BROKEN)


@pytest.mark.parametrize("sae_id", SAES)
def test_a_half_scrambled_decoder_is_caught(lm, tmp_path, sae_id):
    def tensors(t):
        order = torch.randperm(768, generator=torch.Generator().manual_seed(1))
        t["W_dec"][:768] = t["W_dec"][:768][order].clone()

    report = measured(lm, changed(tmp_path, sae_id, tensors, without_published))
    assert "decoder_damaged" in codes(report, Verdict.BROKEN)


@pytest.mark.parametrize("sae_id", SAES)
@pytest.mark.parametrize("part", [np.s_[:, ::2], np.s_[128:]])
def test_half_an_encoder_of_zeros_is_caught(lm, tmp_path, sae_id, part):
    def tensors(t):
        t["W_enc"][part] = 0

    report = measured(lm, changed(tmp_path, sae_id, tensors, without_published))
    assert "encoder_damaged" in codes(report, Verdict.BROKEN)


@pytest.mark.parametrize("tied", [True, False])
def test_a_random_sae_is_caught(lm, tmp_path, tied):
    def tensors(t):
        generator = torch.Generator().manual_seed(0)
        for name in ("W_dec", "W_enc"):
            t[name] = torch.randn(t[name].shape, generator=generator) / 16
        if tied:
            t["W_enc"] = t["W_dec"].T.clone()

    report = measured(lm, changed(tmp_path, SAES[0], tensors, without_published))
    assert "not_reconstructing" in codes(report, Verdict.BROKEN)


def test_a_layer_that_the_model_lacks_is_a_finding(lm, tmp_path):
    report = measured(lm, changed(tmp_path, SAES[0], cfg=at_layer(17)))
    assert codes(report) == {"no_hook"}
    assert report.verdict is Verdict.BROKEN
    assert report.metrics["l0"] is None
    assert "hook_resid_post" in report.findings[0].message  # what the model offers


def test_another_width_is_a_finding(lm, tmp_path):
    tiny.save_sae(tmp_path, "narrow", metadata={"model_name": "actiscope-demo"})
    from services.sae.catalogue import SaeCatalogue

    report = measured(lm, SaeCatalogue([tmp_path]).get("narrow"))
    assert codes(report) == {"wrong_width"}


def test_activations_that_are_not_finite_are_a_finding(lm):
    model = copy.deepcopy(lm.model)
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[3, 5] = float("nan")
    report = measured(replace(lm, model=model), shipped(SAES[0]))
    assert "not_finite" in codes(report, Verdict.BROKEN)
    assert all(v is None or np.isfinite(v) for v in report.metrics.values())


def test_a_vocabulary_larger_than_the_model_is_a_finding(lm):
    model = copy.deepcopy(lm.model)
    model.resize_token_embeddings(1000)
    report = measured(replace(lm, model=model), shipped(SAES[0]))
    assert codes(report) == {"tokenizer"}
    assert report.verdict is Verdict.BROKEN


def test_an_sae_of_short_contexts_is_held_against_its_error_beyond_them(lm, tmp_path):
    entry = changed(tmp_path, SAES[0], cfg=lambda c: c["metadata"].update(context_size=128))
    report = measured(lm, entry)
    assert report.conditions["sae_context"] == 128
    assert codes(report) == set()  # its error does not grow there


@pytest.mark.parametrize("architecture", ["gated", "topk"])
def test_other_architectures_are_measured_too(lm, tmp_path, architecture):
    def cfg(config):
        config["architecture"] = architecture
        config["k"] = 20
        config["rescale_acts_by_decoder_norm"] = False

    def tensors(t):
        del t["threshold"]
        if architecture == "gated":
            bias = t.pop("b_enc")
            t |= {"b_gate": bias - 20, "b_mag": bias, "r_mag": torch.zeros_like(bias)}

    report = measured(lm, changed(tmp_path, SAES[0], tensors, cfg))
    assert report.metrics["explained_variance"] > 0.7
    assert report.metrics["ce_spliced"] < report.metrics["ce_zero"]
    if architecture == "topk":
        assert report.metrics["l0"] == pytest.approx(20)
    assert codes(report, Verdict.BROKEN) <= {"l0_differs"}


def test_a_transcoder_is_judged_at_what_it_writes_or_not_at_all(lm, tmp_path):
    t = tiny.sae_tensors(d_in=256, d_sae=512)
    meta = {"model_name": "actiscope-demo", "hf_hook_name": "model.layers.1.mlp.input"}
    out = {**meta, "hook_name_out": "blocks.1.hook_mlp_out"}
    tiny.save_sae(tmp_path, "silent", "transcoder", t, meta, d_out=256)
    tiny.save_sae(tmp_path, "says", "transcoder", t, out, d_out=256)
    from services.sae.catalogue import SaeCatalogue

    silent, says = (measured(lm, SaeCatalogue([tmp_path]).get(n)) for n in ("silent", "says"))
    assert "not_measured" in codes(silent)
    assert silent.metrics["explained_variance"] is None
    assert silent.metrics["l0"] is not None
    assert "not_measured" not in codes(says)
    assert says.metrics["explained_variance"] is not None
    assert says.metrics["ce_spliced"] is not None


def test_an_sae_in_bfloat16_is_measured(lm):
    entry = shipped(SAES[0])
    sae = load_sae(entry, CPU, torch.bfloat16, threads=1)
    report = preflight(lm, sae, entry, max_tokens=512)
    assert report is not None
    assert report.conditions["sae_dtype"] == "bfloat16"
    assert report.verdict is Verdict.GOOD
