"""The catalogue of models: folders judged by their files, broken ones reported; no torch."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from services.errors import NotFound, Unsupported
from services.lm.catalogue import ModelCatalogue
from services.types import ModelInfo
from tests import tiny

ROOT = Path(__file__).parents[4]


@pytest.fixture
def copy(tmp_path, tiny_root):
    """A root with a copy of the model `tiny` whose files may be changed."""
    folder = tmp_path / "models" / "copy"
    folder.mkdir(parents=True)
    for file in (tiny_root / "models/tiny").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return tmp_path


def change(root, name="config.json", **values):
    path = root / "models/copy" / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def reason(root):
    catalogue = ModelCatalogue([root])
    assert catalogue.list() == ()
    (problem,) = catalogue.problems()
    with pytest.raises(Unsupported):
        catalogue.get(problem.id)
    return problem.reason


def test_catalogues_and_residents_are_imported_and_listed_without_torch(tiny_root):
    code = (
        "import sys, pathlib\n"
        "import services.sae.catalogue as s, services.lm.catalogue as l\n"
        "import services.lm.resident as r\n"
        f"roots = [pathlib.Path({str(tiny_root)!r})]\n"
        "res = r.Residents(l.ModelCatalogue(roots), s.SaeCatalogue(roots))\n"
        "assert len(l.ModelCatalogue(roots).list()) == 1\n"
        "assert res.describe()['models'] == [] == res.loaded()['saes']\n"
        "heavy = {'torch', 'transformers', 'sae_lens', 'numpy.linalg'} & set(sys.modules)\n"
        "assert 'torch' not in heavy and 'transformers' not in heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_sizes_of_every_family_are_read(tmp_path, family):
    folder = tiny.save_model(tmp_path, "m", family)
    entry = ModelCatalogue([tmp_path]).get("m")
    assert entry.info == ModelInfo(
        model_id="m",
        n_layers=3,
        d_model=64,
        n_ctx=128,
        n_vocab=320,
        n_params=entry.info.n_params,
        has_chat_template=True,
        revision=entry.info.revision,
        family={"gemma3": "gemma3_text"}.get(family, family),
        dtype="F32",
        size_bytes=(folder / "model.safetensors").stat().st_size,
    )
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert entry.info.n_params == sum(p.numel() for p in model.parameters())


def test_an_unknown_model_is_answered_with_what_there_is(tiny_root):
    catalogue = ModelCatalogue([tiny_root, tiny_root / "absent"])
    for id in ("gpt-5", "../models/tiny", "tiny/", "", "/"):
        with pytest.raises(NotFound, match="there is: tiny") as caught:
            catalogue.get(id)
        assert caught.value.details["known"] == ["tiny"]


def test_models_of_an_owner_are_found_one_level_deeper(tmp_path):
    tiny.save_model(tmp_path, "meta-llama/Llama-3.1-8B")
    assert ModelCatalogue([tmp_path]).get("meta-llama/Llama-3.1-8B").info.n_layers == 3


@pytest.mark.parametrize(
    "values",
    [
        {"auto_map": {"AutoModelForCausalLM": "evil.py"}},
        {"text_config": {"deep": [{"trust_remote_code": True}]}},
        {"_attn_implementation_internal": "someone/kernel"},
        {"quantization_config": {"quant_method": "gptq"}},
    ],
)
def test_configurations_that_want_code_are_refused(copy, values):
    change(copy, **values)
    assert next(iter(values)) in reason(copy) or "trust_remote_code" in reason(copy)


def test_tokenizers_that_want_code_are_refused(copy):
    change(copy, "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.py", None]})
    assert "tokenizer_config.json" in reason(copy)


def test_an_explicit_no_to_remote_code_is_no_reason(copy):
    change(copy, trust_remote_code=False, auto_map=None)
    assert len(ModelCatalogue([copy]).list()) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hidden_size": None}, "no usable `hidden_size`"),
        ({"num_hidden_layers": "3"}, "no usable `num_hidden_layers`"),
        ({"text_config": 3}, "no usable"),
    ],
)
def test_missing_sizes_are_named(copy, values, said):
    change(copy, **values)
    assert said in reason(copy)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_missing_files_are_named(copy, name):
    (copy / "models/copy" / name).unlink()
    said = reason(copy)
    assert f"{name} is missing" in said and ": copy" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pytorch_model.bin", "save_pretrained(new_folder)"),
        ("consolidated.00.pth", "save_pretrained(new_folder)"),
        ("model-q4.gguf", "GGUF"),
        ("consolidated.safetensors", "there is consolidated.safetensors, in another layout"),
    ],
)
def test_weights_in_other_formats_are_refused_with_the_way_out(copy, name, said):
    (copy / "models/copy/model.safetensors").unlink()
    (copy / "models/copy" / name).write_bytes(b"\x80\x04.")
    assert said in reason(copy)


@pytest.mark.parametrize(
    ("name", "said"), [("llama-q4.gguf", "GGUF"), ("adapter_config.json", "merge_and_unload")]
)
def test_folders_that_are_no_checkpoint_are_told_apart(copy, name, said):
    for file in (copy / "models/copy").iterdir():
        file.unlink()
    (copy / "models/copy" / name).write_text("{}")
    assert said in reason(copy)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"is_encoder_decoder": True}, "an encoder and a decoder"),
        ({"architectures": ["BertForMaskedLM"]}, "BertForMaskedLM, which does not write"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "does not write text"),
    ],
)
def test_models_that_do_not_write_text_are_refused(copy, values, said):
    change(copy, **values)
    assert said in reason(copy)


def test_integer_weights_are_told_to_be_quantised(copy):
    header = json.dumps({"a": {"dtype": "I8", "shape": [9], "data_offsets": [0, 9]}})
    path = copy / "models/copy/model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(9))
    assert "quantised" in reason(copy)


@pytest.mark.parametrize("length", [0x3C, 0x3C20])  # "<" and " <" in little-endian
def test_a_header_whose_length_looks_like_a_web_page_is_read(copy, length):
    header = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    path = copy / "models/copy/model.safetensors"
    path.write_bytes(struct.pack("<Q", length) + header.ljust(length).encode() + bytes(8))
    assert ModelCatalogue([copy]).get("copy").info.n_params == 2


def test_a_checkpoint_in_parts_is_counted_as_a_whole(tmp_path):
    tiny.save_model(tmp_path, "whole")
    folder = tiny.save_model(tmp_path, "parts", shard_size="100KB")
    catalogue = ModelCatalogue([tmp_path])
    whole, parts = catalogue.get("whole").info, catalogue.get("parts").info
    assert len(list(folder.glob("*.safetensors"))) > 2
    assert parts.n_params == whole.n_params and parts.dtype == "F32"
    assert parts.size_bytes == sum(f.stat().st_size for f in folder.glob("*.safetensors"))
    assert parts.revision != whole.revision


def test_a_linked_folder_is_judged_by_what_it_leads_to(copy, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    catalogue, link = ModelCatalogue([copy]), copy / "models/linked"
    tiny.save_model(elsewhere, "one")
    tiny.save_model(elsewhere, "two", seed=1)
    for name in ("one", "two"):  # same names, sizes and times
        for file in (elsewhere / "models" / name).iterdir():
            os.utime(file, ns=(1, 1))
    link.symlink_to(elsewhere / "models/one")
    one = catalogue.get("linked").info.revision
    link.unlink()
    link.symlink_to(elsewhere / "models/two")
    assert catalogue.get("linked").info.revision != one
    (elsewhere / "models/two/config.json").write_text("{")
    with pytest.raises(Unsupported, match="no valid JSON"):
        catalogue.get("linked")


def test_an_lfs_pointer_is_told_from_weights(copy):
    (copy / "models/copy/model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1"
    )
    assert "git lfs pull" in reason(copy)


@pytest.mark.parametrize(
    "target", ["../../secret.safetensors", "/etc/passwd", "sub/model.safetensors"]
)
def test_shards_outside_of_the_folder_are_refused(copy, target):
    folder = copy / "models/copy"
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"lm_head.weight": target}})
    )
    assert "its own folder" in reason(copy)


def test_names_that_are_no_ids_are_reported(copy):
    (copy / "models/copy").rename(copy / "models/a b;c")
    assert "may hold only" in reason(copy)


def test_hidden_folders_are_no_models(copy):
    (copy / "models/copy").rename(copy / "models/.cache")
    assert ModelCatalogue([copy]).problems() == () == ModelCatalogue([copy]).list()


def test_the_revision_follows_the_content(copy):
    catalogue = ModelCatalogue([copy])
    before = catalogue.get("copy").info.revision
    path = copy / "models/copy/model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    assert len(before) == 64 and catalogue.get("copy").info.revision != before


def test_large_weights_are_not_read_at_listing(copy):
    """40 MB that are declared and not there (a sparse file) get a name that claims no hash."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**7], "data_offsets": [0, 4 * 10**7]}})
    path = copy / "models/copy/model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode())
    os.truncate(path, path.stat().st_size + 4 * 10**7)
    info = ModelCatalogue([copy]).get("copy").info
    assert info.revision.startswith("unhashed-") and info.n_params == 10**7


def test_a_hub_snapshot_is_named_by_its_commit(copy):
    commit = "0123456789abcdef" * 2 + "01234567"
    snapshot = copy / "hub/snapshots" / commit
    snapshot.parent.mkdir(parents=True)
    (copy / "models/copy").rename(snapshot)
    (copy / "models/linked").symlink_to(snapshot)
    assert ModelCatalogue([copy]).get("linked").info.revision == commit
