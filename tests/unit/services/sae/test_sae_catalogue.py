"""The catalogue of SAEs: what is on disk now, cheaply, and what each one belongs to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
import torch

from services.errors import Unsupported
from services.sae.catalogue import SaeCatalogue
from services.sae.loader import check_fit, load_sae
from tests import tiny


def test_an_entry_says_what_the_sae_reads_and_which_weights_it_has(tmp_path):
    folder = tiny.save_sae(tmp_path, metadata={"neuronpedia_id": "gpt2-small/1-res"})
    info = SaeCatalogue([tmp_path]).get("tiny-sae").info
    assert (info.model_id, info.hook_name, info.layer) == ("tiny", "blocks.1.hook_resid_post", 1)
    assert (info.d_in, info.d_sae, info.architecture) == (64, 256, "jumprelu")
    assert info.revision == hashlib.sha256((folder / tiny.WEIGHTS).read_bytes()).hexdigest()
    assert info.neuronpedia_id == "gpt2-small/1-res"


@pytest.mark.parametrize("odd", [5, {}, ["a"], "", None, True])
def test_what_is_no_name_is_no_name(tmp_path, odd):
    tiny.save_sae(tmp_path, metadata={"neuronpedia_id": odd, "hf_hook_name": odd})
    entry = SaeCatalogue([tmp_path]).get("tiny-sae")
    assert entry.info.neuronpedia_id is None
    assert entry.capture_name == "blocks.1.hook_resid_post"


def test_the_saes_of_a_model_come_by_layer(tmp_path):
    for layer in (10, 2, 1):
        tiny.save_sae(tmp_path, f"l{layer}", metadata={"hook_name": f"blocks.{layer}.hook_mlp_out"})
    tiny.save_sae(tmp_path, "other", metadata={"model_name": "org/other"})
    catalogue = SaeCatalogue([tmp_path])
    assert [e.info.layer for e in catalogue.list("tiny")] == [1, 2, 10]
    assert [e.info.sae_id for e in catalogue.list("org/other")] == ["other"]
    assert len(catalogue.list()) == 4 and catalogue.list("none") == ()


def test_folders_of_releases_and_several_roots_are_found(tmp_path):
    tiny.save_sae(tmp_path / "a", "release/l1")
    tiny.save_sae(tmp_path / "a", "same", architecture="standard")
    tiny.save_sae(tmp_path / "b", "same", architecture="jumprelu")
    catalogue = SaeCatalogue([tmp_path / "a", tmp_path / "b", tmp_path / "missing"])
    assert [e.info.sae_id for e in catalogue.list()] == ["release/l1", "same"]
    assert catalogue.get("same").info.architecture == "standard"


def test_what_changes_on_disk_is_seen(tmp_path):
    catalogue = SaeCatalogue([tmp_path])
    assert catalogue.list() == ()
    folder = tiny.save_sae(tmp_path)
    assert len(catalogue.list()) == 1
    content = (folder / tiny.WEIGHTS).read_bytes()
    (folder / tiny.WEIGHTS).write_bytes(content[:100])
    assert catalogue.list() == () and len(catalogue.problems()) == 1
    (folder / tiny.WEIGHTS).write_bytes(content)
    assert len(catalogue.list()) == 1


def test_the_recorded_module_path_is_what_is_captured(tmp_path):
    tiny.save_sae(tmp_path, "a")
    tiny.save_sae(tmp_path, "b", metadata={"hf_hook_name": None})
    catalogue = SaeCatalogue([tmp_path])
    assert catalogue.get("a").capture_name == "model.layers.1.output"
    assert catalogue.get("b").capture_name == "blocks.1.hook_resid_post"


def test_configurations_from_before_version_6_are_read(tmp_path):
    path = tiny.save_sae(tmp_path, architecture="standard") / "cfg.json"
    old = {
        "d_in": 64, "d_sae": 256, "model_name": "tiny", "hook_point": "blocks.2.hook_resid_pre",
        "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 7},
        "normalize_activations": False, "dtype": "float32", "device": "cpu",
    }  # fmt: skip
    path.write_text(json.dumps(old))
    entry = SaeCatalogue([tmp_path]).get("tiny-sae")
    assert (entry.info.architecture, entry.info.layer, entry.config.k) == ("topk", 2, 7)
    sae = load_sae(entry, torch.device("cpu"))
    assert ((sae.encode(torch.randn(5, 64)) != 0).sum(1) == 7).all()


def test_a_scale_beside_a_checkpoint_is_used(tmp_path):
    folder = tiny.save_sae(tmp_path, normalize_activations="expected_average_only_in")
    assert SaeCatalogue([tmp_path]).list() == ()
    (folder / "activation_scaler.json").write_text('{"scaling_factor": 0.5}')
    assert SaeCatalogue([tmp_path]).get("tiny-sae").config.input_scale == 0.5


def test_an_sae_of_another_width_or_another_place_does_not_fit(tmp_path):
    tiny.save_model(tmp_path, "tiny")
    tiny.save_sae(tmp_path, "wide", tensors=tiny.sae_tensors(d_in=96))
    tiny.save_sae(tmp_path, "deep", metadata={"hf_hook_name": "model.layers.7.output"})
    tiny.save_sae(tmp_path, "fits")
    from services.lm.catalogue import ModelCatalogue
    from services.lm.loader import load_model

    cpu = torch.device("cpu")
    lm = load_model(ModelCatalogue([tmp_path]).get("tiny"), cpu, torch.float32)
    saes = {e.info.sae_id: load_sae(e, cpu) for e in SaeCatalogue([tmp_path]).list()}
    check_fit(lm, saes["fits"])
    for name, said in (("wide", "another model"), ("deep", "no hook point")):
        with pytest.raises(Unsupported, match=said):
            check_fit(lm, saes[name])
    assert saes["fits"].info == replace(saes["fits"].info, model_id=lm.info.model_id)
