"""Every metric of a preflight on the demo against plain transformers, sae-lens and numpy."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import services.sae.preflight
from services.demo import ARTEFACTS
from services.sae.loader import load_sae
from services.sae.preflight import METRICS, preflight
from services.types import Verdict
from tests.integration.engine.demo_pairs import CPU, demo_model, measured, shipped

SAE_ID, LAYER = "demo-l1-res", 1
TEXT = Path(services.sae.preflight.__file__).with_name("text.txt")


def windows_of(tokenizer):
    """BOS and 255 tokens each, 16 of them spread over the text."""
    ids = tokenizer(TEXT.read_text(encoding="utf-8"), add_special_tokens=False)["input_ids"]
    rows = [ids[at : at + 255] for at in range(0, len(ids), 255)]
    chosen = [round(at) for at in np.linspace(0, len(rows) - 1, 16)]
    return [[tokenizer.bos_token_id, *rows[at]] for at in chosen]


def loss(model, ids, replace=None):
    """Sum of -ln p in nats over the tokens after BOS; `replace` rewrites the stream after it."""

    def hook(module, args, output):
        return torch.cat([output[:, :1], replace(output)[:, 1:]], 1)

    handle = model.model.layers[LAYER].register_forward_hook(hook) if replace else None
    with torch.no_grad():
        p = model(torch.tensor([ids])).logits[0].double().log_softmax(-1).numpy()
    if handle is not None:
        handle.remove()
    return -sum(p[at, id] for at, id in enumerate(ids[1:]))


@pytest.fixture(scope="module")
def reference():
    """All metrics by the plain way, without anything of the product."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)  # barriers of more are slow beside another test process
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens import SAE

        sae = SAE.load_from_disk(ARTEFACTS / "saes" / SAE_ID, dtype="float32")
    folder = next((ARTEFACTS / "models").iterdir())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    windows = windows_of(AutoTokenizer.from_pretrained(folder))
    x, made, f, bos, ce = [], [], [], [], np.zeros(3)
    with torch.no_grad():
        for ids in windows:
            stream = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[LAYER + 1]
            features = sae.encode(stream)[0, 1:]
            x.append(stream[0, 1:].double().numpy())
            f.append(features.numpy())
            made.append(sae.decode(features).double().numpy())
            bos.append(float(stream[0, 0].norm()))
            ce += [
                loss(model, ids),
                loss(model, ids, lambda y: sae.decode(sae.encode(y))),
                loss(model, ids, torch.zeros_like),
            ]
    x, made, f = np.concatenate(x), np.concatenate(made), np.concatenate(f)
    ce = ce / len(x)
    error = ((x - made) ** 2).sum()
    norm = np.linalg.norm
    fvu = error / ((x - x.mean(0)) ** 2).sum()
    l0 = (f > 0).sum(1)
    density = (f > 0).mean(0)
    return {
        "l0": l0.mean(),
        "l0_p10": np.quantile(l0, 0.1),
        "l0_p90": np.quantile(l0, 0.9),
        "explained_variance": 1 - fvu,
        "fvu": fvu,
        "mse": error / x.size,
        "cosine": ((x * made).sum(1) / norm(x, axis=1) / norm(made, axis=1)).mean(),
        "norm_ratio": (norm(made, axis=1) / norm(x, axis=1)).mean(),
        "ce_model": ce[0],
        "ce_spliced": ce[1],
        "ce_zero": ce[2],
        "loss_recovered": (ce[2] - ce[1]) / (ce[2] - ce[0]),
        "dead_share": (density == 0).mean(),
        "dense_share": (density > 0.1).mean(),
        "input_norm": norm(x, axis=1).mean(),
        "expected_norm": None,
        "bos_norm": np.mean(bos),
    }, (x, made, f)


@pytest.fixture(scope="module")
def lm():
    return demo_model()


@pytest.fixture(scope="module")
def report(lm):
    return measured(lm, shipped(SAE_ID), max_tokens=4096)


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_is_what_the_plain_computation_gives(reference, report, name):
    expected = reference[0][name]
    assert report.metrics[name] == (expected and pytest.approx(expected, rel=2e-4))


def test_there_is_a_metric_for_each_name_and_no_other(report):
    assert tuple(report.metrics) == METRICS


def test_curves_are_histograms_of_all_counted_tokens_and_errors_by_position(reference, report):
    x, made, f = reference[1]
    curves, n = report.curves, report.conditions["tokens_counted"]
    assert n == len(x)
    assert sum(curves["l0_histogram"]) == n == sum(curves["input_norm_histogram"])
    assert sum(curves["density_histogram"]) == ((f > 0).any(0)).sum()
    expected, _ = np.histogram((f > 0).sum(1), curves["l0_edges"])
    np.testing.assert_allclose(curves["l0_histogram"], expected, atol=3)
    for name in ("l0", "density", "input_norm"):
        assert len(curves[f"{name}_edges"]) == len(curves[f"{name}_histogram"]) + 1
    errors, spread = ((x - made) ** 2).sum(1), ((x - x.mean(0)) ** 2).sum(1)
    position = np.concatenate([np.arange(1, 256)] * 16)[:n]
    last = position >= 248
    by_position = curves["error_by_position"]
    assert len(by_position) == 256
    assert by_position[250] == pytest.approx(errors[last].sum() / spread[last].sum(), rel=1e-3)
    assert curves["window_explained_variance"][0] == pytest.approx(
        1 - errors[:255].sum() / spread[:255].sum(), rel=1e-3
    )


def test_the_conditions_say_on_what_and_how_it_was_measured(report):
    conditions = report.conditions
    assert len(conditions["text_sha256"]) == 64
    assert conditions["windows"] == 16
    assert conditions["bos"] == "in front of each window"
    assert conditions["model_dtype"] == conditions["sae_dtype"] == "float32"
    assert conditions["zero_ablation"] == "zeros at the same positions"
    assert report.published["l0"] == pytest.approx(18.4047)
    assert len(report.sae_revision) == len(report.model_revision) == 64


@pytest.mark.parametrize("sae_id", ["demo-l1-res", "demo-l2-res"])
def test_the_shipped_pairs_are_good(lm, sae_id):
    report = measured(lm, shipped(sae_id), trained_on_this=True, max_tokens=4096)
    assert (report.verdict, report.findings) == (Verdict.GOOD, ())
    assert report.duration_s < 60


def test_progress_counts_tokens_and_stopping_gives_no_report(lm):
    entry = shipped(SAE_ID)
    sae, told = load_sae(entry, CPU, threads=1), []
    stop = iter([False, False, True])
    report = preflight(
        lm, sae, entry, progress=lambda *pair: told.append(pair), should_stop=lambda: next(stop)
    )
    assert report is None
    assert [done for done, _ in told] == [0, 256]
    assert len({total for _, total in told}) == 1


def test_the_model_is_left_as_it_was(lm, report):
    assert not any(module._forward_hooks for module in lm.model.modules())
    assert not any(module._forward_pre_hooks for module in lm.model.modules())
