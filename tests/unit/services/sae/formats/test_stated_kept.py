"""What a publisher states about an SAE survives its conversion: scale, BOS, context, hooks."""

from __future__ import annotations

import json

import pytest

from services.sae.catalogue import SaeCatalogue
from services.sae.formats import Hints, convert, look
from services.sae.preflight.stated import read_stated
from tests.sae_layouts import D_IN, LAYOUTS, arrays, lens_cfg, save, write_json

SCALED = {"normalize_activations": "expected_average_only_in"}
PLAIN = ("W_enc", "b_enc", "W_dec", "b_dec")


def added(root, made_path, hints=None, name="x"):
    """The entry after its conversion, as the server reads it."""
    (found,) = look(made_path, hints or Hints()).found
    given = {f: "blocks.1.hook_resid_post" for f in ("hook_name",) if f in found.needs}
    convert(found, root / "home" / "saes" / name, model_name="tiny", **given)
    return SaeCatalogue([root / "home"]).get(name)


def lens(root, cfg, metadata=None):
    cfg["metadata"] |= metadata or {}
    save(root / "sae" / "sae_weights.safetensors", {n: arrays()[n] for n in PLAIN})
    write_json(root / "sae" / "cfg.json", cfg)
    return root / "sae"


def as_old(cfg):
    """Before version 6 all is on one level."""
    return {k: v for k, v in (cfg | cfg["metadata"]).items() if k != "metadata"}


@pytest.mark.parametrize("where", ["top", "metadata", "before 6", "scaler file", "catalogue"])
def test_a_scale_that_is_folded_leaves_the_norm_it_was_for(tmp_path, where):
    cfg = lens_cfg("standard", **SCALED)
    hints = Hints(overrides={"norm_scaling_factor": 2.0} if where == "catalogue" else {})
    if where in ("top", "before 6"):
        cfg["norm_scaling_factor"] = 2.0
    folder = lens(tmp_path, cfg, {"norm_scaling_factor": 2.0} if where == "metadata" else {})
    if where == "before 6":
        write_json(folder / "cfg.json", as_old(cfg))
    if where == "scaler file":
        write_json(folder / "activation_scaler.json", {"scaling_factor": 2.0})
    entry = added(tmp_path, folder, hints)
    assert entry.config.input_scale == 1
    assert read_stated(entry, {}).input_norm == pytest.approx(D_IN**0.5 / 2)
    again = added(tmp_path, entry.path, name="again")
    assert read_stated(again, {}).input_norm == pytest.approx(D_IN**0.5 / 2)


def test_a_scale_that_was_folded_by_the_publisher_still_says_the_norm(tmp_path):
    folder = lens(tmp_path, lens_cfg("standard"), {"norm_scaling_factor": 0.5})
    assert read_stated(added(tmp_path, folder), {}).input_norm == pytest.approx(D_IN**0.5 * 2)


def test_without_a_scale_no_norm_is_made_up(tmp_path):
    for n, case in enumerate(("sae-lens standard", "gemma scope embedding", "sparsify")):
        made = LAYOUTS[case][1](tmp_path / str(n))
        entry = added(tmp_path / str(n), made.path, Hints(made.origin, made.overrides or {}))
        assert read_stated(entry, {}).input_norm is None, case


@pytest.mark.parametrize(
    ("case", "norm"), [("llama scope", 12.125), ("llama scope r1", D_IN**0.5 / 3.5)]
)
def test_llama_scope_keeps_the_mean_norm_of_its_dataset(tmp_path, case, norm):
    made = LAYOUTS[case][1](tmp_path)
    entry = added(tmp_path, made.path, Hints(made.origin, made.overrides or {}))
    assert read_stated(entry, {}).input_norm == pytest.approx(norm)


@pytest.mark.parametrize(("factor", "norm"), [(20.5, 20.5), (1.0, None), ("x", None), (-1, None)])
def test_dictionary_learning_keeps_the_factor_it_divided_by(tmp_path, factor, norm):
    made = LAYOUTS["dictionary_learning standard"][1](tmp_path)
    (about,) = tmp_path.rglob("config.json")
    raw = json.loads(about.read_text())
    raw["trainer"]["norm_factor"] = factor
    raw["buffer"] = {"ctx_len": 512, "add_special_tokens": False}
    about.write_text(json.dumps(raw))
    stated = read_stated(added(tmp_path, made.path), {})
    assert (stated.input_norm, stated.context_size) == (norm, 512)
    assert not stated.prepend_bos


def test_bos_context_and_output_hooks_are_kept(tmp_path):
    says = {
        "prepend_bos": False, "context_size": 77, "hook_name_out": "blocks.1.hook_mlp_out",
        "hf_hook_name_out": "model.layers.1.mlp.output",
    }  # fmt: skip
    folder = lens(tmp_path, lens_cfg("standard"), says)
    kept = json.loads((added(tmp_path, folder).path / "cfg.json").read_text())["metadata"]
    assert {name: kept.get(name) for name in says} == says


@pytest.mark.parametrize("nested", [True, False])
def test_a_bare_file_keeps_what_lies_beside_it(tmp_path, nested):
    save(tmp_path / "sae" / "mine.safetensors", {n: arrays()[n] for n in PLAIN})
    says = {
        "prepend_bos": False, "context_size": 77, "hook_name": "blocks.2.hook_resid_post",
        "hf_hook_name": "model.layers.2.output", "hook_name_out": "blocks.2.hook_mlp_out",
    }  # fmt: skip
    write_json(tmp_path / "sae" / "config.json", {"metadata": says} if nested else says)
    kept = json.loads((added(tmp_path, tmp_path / "sae").path / "cfg.json").read_text())
    assert {name: kept["metadata"].get(name) for name in says} == says
