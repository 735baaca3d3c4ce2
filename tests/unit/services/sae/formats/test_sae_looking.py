"""Looking: several SAEs in a place, what the catalogue adds, and what a repository lists."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from services.errors import ActiscopeError, Unsupported
from services.sae.catalogue import SaeCatalogue
from services.sae.formats import ACCEPTED, Hints, convert, grouped, look, wanted_files
from services.sae.formats.building import hook_in, layer_of
from services.sae.loader import load_sae
from tests.sae_layouts import LAYOUTS, arrays, lens_cfg, save, write_json


def test_every_sae_of_a_folder_of_many_layers_is_offered(tmp_path):
    root = tmp_path / "gemma-scope-2b-pt-res"
    for layer in (0, 3, 12):
        made = LAYOUTS["gemma scope"][1](tmp_path / "new")
        place = root / f"layer_{layer}" / "width_16k" / "average_l0_71"
        shutil.copytree(made.path / "layer_12" / "width_16k" / "average_l0_71", place)
        shutil.rmtree(tmp_path / "new")
    looked = look(root)
    assert [f.path for f in looked.found] == [
        f"layer_{n}/width_16k/average_l0_71" for n in (0, 12, 3)
    ]
    assert [f.candidate().hook_name for f in looked.found] == [
        f"blocks.{n}.hook_resid_post" for n in (0, 12, 3)
    ]


def test_all_layouts_in_one_folder_are_told_apart(tmp_path):
    made = {case: make(tmp_path) for case, (_, make) in LAYOUTS.items() if "embed" not in case}
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sae.pt").write_bytes(b"\x80\x02.")
    looked = look(tmp_path)
    # Two say nowhere by what their inputs were scaled; the catalogue does.
    unscaled = ("llama scope r1", "sae-lens before 6")
    expected = sorted(LAYOUTS[case][0] for case in made if case not in unscaled)
    assert sorted(f.format for f in looked.found) == expected
    assert sorted(p.path for p in looked.problems) == [
        "Llama-Scope-R1-Distill/400M-Slimpajama-400M-OpenR1-Math-220k/L7R/sae_weights.safetensors",
        "before6/sae_weights.safetensors",
        "broken/sae.pt",
    ]
    assert len({f.path for f in looked.found}) == len(looked.found)


def test_several_bare_files_in_a_folder_are_each_offered(tmp_path):
    for layer in (10, 2):
        only = {n: a for n, a in arrays().items() if n not in ("W_skip", "threshold")}
        save(tmp_path / f"blocks.{layer}.hook_mlp_out.safetensors", only)
    found = look(tmp_path).found
    assert [f.path for f in found] == [f"blocks.{n}.hook_mlp_out.safetensors" for n in (2, 10)]
    assert [f.candidate().hook_name for f in found] == [f"blocks.{n}.hook_mlp_out" for n in (2, 10)]
    assert {f.needs for f in found} == {("model_id",)}


def test_folders_deeper_than_six_and_hidden_ones_are_not_searched(tmp_path):
    made = LAYOUTS["sae-lens standard"][1](tmp_path / "source")
    for place, is_found in (("a/b/c/d/e/f", True), ("a/b/c/d/e/f/g", False), (".cache/x", False)):
        root = tmp_path / "root"
        shutil.copytree(made.path, root / place)
        if is_found:
            assert [f.path for f in look(root).found] == [place]
        else:
            with pytest.raises(Unsupported):
                look(root)
        shutil.rmtree(root)


def test_links_to_folders_are_not_followed_and_links_to_files_are(tmp_path):
    made = LAYOUTS["sae-lens standard"][1](tmp_path / "source")
    root = tmp_path / "root"
    root.mkdir()
    (root / "loop").symlink_to(root)
    (root / "elsewhere").symlink_to(made.path)
    with pytest.raises(Unsupported):
        look(root)
    (root / "sae").mkdir()
    for file in made.path.iterdir():  # as the hub's cache keeps them
        (root / "sae" / file.name).symlink_to(file)
    assert [f.path for f in look(root).found] == ["sae"]


def test_looking_imports_no_torch(tmp_path):
    for case in ("gemma scope", "llama scope", "sae-lens gated", "bare"):
        LAYOUTS[case][1](tmp_path)
    code = (
        "import sys, pathlib\n"
        "from services.sae.formats import look\n"
        f"assert len(look(pathlib.Path({str(tmp_path)!r})).found) == 4\n"
        "assert not {'torch', 'sae_lens', 'transformers'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path.cwd())


def test_what_the_catalogue_knows_is_added(tmp_path):
    made = LAYOUTS["sae-lens standard"][1](tmp_path)
    kwargs = {"center_writing_weights": True}
    hints = Hints(
        overrides={
            "neuronpedia_id": "gpt2-small/1-res",
            "l0": 71.0,
            "variance_explained": 0.93,
            "model": "another",
            "config_overrides": {
                "model_from_pretrained_kwargs": kwargs,
                "normalize_activations": "layer_norm",
            },
        }
    )
    (found,) = look(made.path, hints).found
    assert found.published == {"l0": 71.0, "explained_variance": 0.93}
    convert(found, tmp_path / "home" / "saes" / "x")
    entry = SaeCatalogue([tmp_path / "home"]).get("x")
    assert entry.info.neuronpedia_id == "gpt2-small/1-res"
    assert entry.info.trained_on == "tiny", "what the files say wins"
    assert entry.config.centres_input and entry.config.normalize_activations == "layer_norm"


def test_figures_that_stand_for_unknown_are_not_taken_for_measured(tmp_path):
    made = LAYOUTS["sae-lens hook_z"][1](tmp_path)
    hints = Hints(overrides={"expected_l0": 0.0, "variance_explained": 1.0})
    assert look(made.path, hints).found[0].published == {"l0": 12.5}


def test_the_origin_says_what_the_path_on_disk_does_not(tmp_path):
    made = LAYOUTS["gemma scope"][1](tmp_path)
    shutil.move(made.path, tmp_path / "downloaded")
    (found,) = look(tmp_path / "downloaded").found
    assert found.needs == ("model_id", "hook_name")
    (found,) = look(tmp_path / "downloaded", Hints("google/gemma-scope-9b-it-mlp")).found
    assert found.needs == () and found.candidate().model_name == "gemma-2-9b-it"
    assert found.candidate().hook_name == "blocks.12.hook_mlp_out"


def test_a_topk_sae_says_its_k_in_the_folder_or_in_the_catalogue(tmp_path):
    made = LAYOUTS["bare"][1](tmp_path)
    (found,) = look(made.path, Hints(overrides={"k": 9})).found
    assert (found.config["architecture"], found.config["k"]) == ("topk", 9)
    write_json(made.path.parent / "config.json", {"k": 5, "model_name": "m"})
    (found,) = look(made.path).found
    assert (found.config["k"], found.needs) == (5, ("hook_name",))


def test_the_hook_that_is_given_wins(tmp_path):
    made = LAYOUTS["gemma scope 2"][1](tmp_path)
    (found,) = look(made.path).found
    target = tmp_path / "home" / "saes" / "x"
    convert(found, target, model_name="mine", hook_name="blocks.2.hook_resid_mid")
    entry = SaeCatalogue([tmp_path / "home"]).get("x")
    assert (entry.capture_name, entry.info.layer) == ("blocks.2.hook_resid_mid", 2)
    assert entry.info.model_id == "mine"


def test_saes_of_the_embedding_have_layer_0(tmp_path):
    made = LAYOUTS["gemma scope embedding"][1](tmp_path)
    convert(look(made.path).found[0], tmp_path / "home" / "saes" / "x")
    entry = SaeCatalogue([tmp_path / "home"]).get("x")
    assert (entry.info.layer, entry.capture_name) == (0, "hook_embed")


def test_transcoders_of_sparsify_are_computed_at_run_time(tmp_path):
    made = LAYOUTS["sparsify transcoder"][1](tmp_path)
    convert(look(made.path).found[0], tmp_path / "home" / "saes" / "x")
    sae = load_sae(SaeCatalogue([tmp_path / "home"]).get("x"), torch.device("cpu"))
    assert sae.info.architecture == "topk_skip_transcoder"


@pytest.mark.parametrize("case", LAYOUTS)
def test_the_list_of_a_repository_names_what_looking_will_find(tmp_path, case):
    made = LAYOUTS[case][1](tmp_path)
    root = made.path if made.path.is_dir() else made.path.parent
    names = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    noise = ["README.md", ".gitattributes", "ae.pt", "model-00001-of-00002.safetensors"]
    groups = grouped([*names, *noise])
    found = look(root, Hints(made.origin, made.overrides or {})).found
    assert list(groups) == [f.path for f in found]
    read = {f.resolve() for f in found[0].files}
    assert read <= {(root / name).resolve() for name in groups[found[0].path]}
    wanted = wanted_files([*names, *noise])
    assert set(groups[found[0].path]) <= set(wanted) and not set(noise) & set(wanted)


def test_what_lies_beside_an_sae_is_not_downloaded():
    folder = "resid_post_all/layer_17_width_16k_l0_small"
    names = [f"{folder}/{n}" for n in ("config.json", "params.safetensors", "examples.safetensors")]
    assert wanted_files(names) == tuple(names[:2])
    assert grouped(names) == {folder: (names[1], names[0])}
    old = ["b/cfg.json", "b/sae_weights.safetensors", "b/sparsity.safetensors"]
    assert grouped(old) == {"b": ("b/sae_weights.safetensors", "b/cfg.json")}


ODD = [None, [], {}, "x", "", -1, 0, 0.5, 1e300, True, "a" * 5000, [1], {"in": "x"}, "../../etc"]


@pytest.mark.parametrize("case", [c for c in LAYOUTS if c != "bare"])
def test_odd_values_in_configurations_never_give_an_untyped_error(tmp_path, case):
    """Each value of each configuration replaced by each odd one."""
    made = LAYOUTS[case][1](tmp_path)
    hints = Hints(made.origin, made.overrides or {})
    for path in tmp_path.rglob("*.json"):
        text = path.read_text()
        for keys in _keys(json.loads(text)):
            for odd in ODD:
                raw = json.loads(text)
                _at(raw, keys[:-1])[keys[-1]] = odd
                path.write_text(json.dumps(raw))
                _looked_or_refused(made.path, hints)
        path.write_text(text)


def _keys(raw):
    for key, value in raw.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *inner) for inner in _keys(value))


def _at(raw, keys):
    for key in keys:
        raw = raw[key]
    return raw


def _looked_or_refused(path, hints):
    try:
        for found in look(path, hints).found:
            found.candidate()
            json.dumps(found.config, allow_nan=False)
    except ActiscopeError:
        pass


def test_what_is_accepted_is_said_in_one_line_each():
    assert {f for f, _ in LAYOUTS.values()} == set(ACCEPTED)
    assert all(line and "\n" not in line for line in ACCEPTED.values())


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("repo/layer_12/width_16k", 12),
        ("repo/layers.7", 7),
        ("Llama-3.1-8B-SAE-l19.safetensors", 19),
        ("layer0.sae.safetensors", 0),
        ("average_l0_71", None),
        ("repo/width_16k", None),
        ("model-8b/l16k", None),
    ],
)
def test_layers_are_read_from_paths(text, layer):
    assert layer_of(text) == layer


def test_hook_names_are_read_from_paths():
    assert hook_in("x/gemma_2b_blocks.12.hook_resid_post_16384") == "blocks.12.hook_resid_post"
    assert hook_in("blocks.3.attn.hook_z/v1") == "blocks.3.attn.hook_z"
    assert hook_in("layer_3") is None


def test_a_converted_sae_is_never_half_there(tmp_path, monkeypatch):
    """The weights get their name only when they are complete, cfg.json after them."""
    made = LAYOUTS["sae-lens standard"][1](tmp_path)
    (found,) = look(made.path).found
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(sorted(os.listdir(tmp_path / "t"))))
    convert(found, tmp_path / "t")
    assert seen == [[".sae_weights.safetensors.partial"]]
    assert sorted(os.listdir(tmp_path / "t")) == ["cfg.json", "sae_weights.safetensors"]
    assert lens_cfg("standard")["metadata"]["model_name"] == found.candidate().model_name
