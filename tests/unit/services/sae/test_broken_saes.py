"""Broken SAE folders: each is reported with its file and reason, and disturbs no other."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from services.errors import NotFound, Unsupported
from services.sae.catalogue import SaeCatalogue
from services.sae.loader import load_sae
from tests import tiny
from tests.broken_files import SAFETENSORS as FILES


@pytest.mark.parametrize("case", FILES)
def test_a_weight_file_that_is_none_is_named_with_what_to_do(tmp_path, case):
    content, said = FILES[case]
    (tiny.save_sae(tmp_path, "bad") / tiny.WEIGHTS).write_bytes(content)
    tiny.save_sae(tmp_path, "good")
    catalogue = SaeCatalogue([tmp_path])
    assert [entry.info.sae_id for entry in catalogue.list()] == ["good"]
    (problem,) = catalogue.problems()
    assert problem.id == "bad"
    assert f"bad/{tiny.WEIGHTS}" in problem.reason and said in problem.reason
    with pytest.raises(Unsupported, match=said):
        catalogue.get("bad")


CONFIGS = {
    "no JSON": ("{", "no valid JSON"),
    "no object": ("[]", "no JSON object"),
    "not UTF-8": (b"\xff\xfe{}", "no valid JSON"),
    "deep nesting": ('{"a":' * 100_000, "no valid JSON"),
    "unknown architecture": ({"architecture": "quantum"}, "known are"),
    "architecture no text": ({"architecture": "jumprelu "}, "known are"),
    "no d_in": ({"d_in": None}, "no usable d_in"),
    "d_sae no number": ({"d_sae": "256"}, "no usable d_sae"),
    "d_sae of other weights": (
        {"d_sae": 512},
        r"has W_enc [64, 256] where cfg.json says [64, 512]",
    ),
    "transposed": ({"d_in": 256, "d_sae": 64}, "transposed"),
    "topk without k": ({"architecture": "topk"}, "no usable k"),
    "no hook": ({"metadata": {"model_name": "tiny"}}, "no hook_name"),
    "no layer": (
        {"metadata": {"model_name": "tiny", "hook_name": "hook_pos_embed"}},
        "without a layer",
    ),
    "no model": ({"metadata": {"hook_name": "blocks.1.hook_resid_post"}}, "names no model"),
    "one head": (
        {"metadata": {"hook_name": "blocks.1.attn.hook_z", "hook_head_index": 3}},
        "single attention head",
    ),
    "scale not recorded": (
        {"normalize_activations": "expected_average_only_in"},
        "go in unscaled",
    ),
    "scale no number": (
        {"normalize_activations": "expected_average_only_in", "norm_scaling_factor": "2"},
        "go in unscaled",
    ),
    "whitening": ({"normalize_activations": "covariance_whitening"}, "not part of the weights"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_configuration_that_cannot_be_followed_is_refused_with_the_value(tmp_path, case):
    change, said = CONFIGS[case]
    path = tiny.save_sae(tmp_path, "bad") / "cfg.json"
    if isinstance(change, dict):
        change = json.dumps(json.loads(path.read_text()) | change)
    path.write_bytes(change if isinstance(change, bytes) else change.encode())
    (problem,) = SaeCatalogue([tmp_path]).problems()
    assert said in problem.reason
    assert "cfg.json" in problem.reason


TENSORS = {
    "NaN": (("b_enc", 3, np.nan), "NaN or infinite numbers in b_enc"),
    "infinity": (("W_dec", (0, 0), np.inf), "NaN or infinite numbers in W_dec"),
}


@pytest.mark.parametrize("case", TENSORS)
def test_weights_that_are_no_numbers_are_refused_at_loading(tmp_path, case):
    (name, at, value), said = TENSORS[case]
    tensors = tiny.sae_tensors()
    tensors[name][at] = value
    tiny.save_sae(tmp_path, "bad", tensors=tensors)
    with pytest.raises(Unsupported, match=said):
        load_sae(SaeCatalogue([tmp_path]).get("bad"), torch.device("cpu"))


@pytest.mark.parametrize("missing", ["b_dec", "b_enc", "W_dec"])
def test_a_missing_tensor_is_named(tmp_path, missing):
    tensors = tiny.sae_tensors()
    del tensors[missing]
    tiny.save_sae(tmp_path, "bad", tensors=tensors)
    assert f"lacks the tensor {missing}" in SaeCatalogue([tmp_path]).problems()[0].reason


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.float16])
def test_weights_are_floats(tmp_path, dtype):
    tensors = tiny.sae_tensors()
    tensors["b_dec"] = tensors["b_dec"].astype(dtype)
    tiny.save_sae(tmp_path, "s", tensors=tensors)
    problems = SaeCatalogue([tmp_path]).problems()
    assert bool(problems) == (dtype is not np.float16)


def test_a_finetuning_scale_is_not_ignored(tmp_path):
    tensors = tiny.sae_tensors() | {"scaling_factor": np.full(256, 2, np.float32)}
    tiny.save_sae(tmp_path, "bad", tensors=tensors)
    with pytest.raises(Unsupported, match="finetuning scale"):
        load_sae(SaeCatalogue([tmp_path]).get("bad"), torch.device("cpu"))


def test_a_file_that_broke_after_listing_is_refused_at_loading(tmp_path):
    folder = tiny.save_sae(tmp_path, "s")
    entry = SaeCatalogue([tmp_path]).get("s")
    content = (folder / tiny.WEIGHTS).read_bytes()
    (folder / tiny.WEIGHTS).write_bytes(content[:-10])
    with pytest.raises(Unsupported, match="truncated"):
        load_sae(entry, torch.device("cpu"))
    (folder / tiny.WEIGHTS).unlink()
    with pytest.raises(Unsupported, match="cannot be read"):
        load_sae(entry, torch.device("cpu"))


def test_a_gated_sae_without_its_gate_is_refused_by_name(tmp_path):
    tiny.save_sae(tmp_path, "bad", architecture="gated")
    with pytest.raises(Unsupported, match="lacks the tensor b_gate"):
        SaeCatalogue([tmp_path]).get("bad")


def test_an_unknown_sae_is_answered_with_what_there_is(tmp_path):
    tiny.save_sae(tmp_path, "good")
    for id in ("none", "../saes/good", "/etc/passwd", ""):
        with pytest.raises(NotFound, match="there is: good"):
            SaeCatalogue([tmp_path]).get(id)
