"""Loading models: completely or not at all, also when several threads ask at once."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from services.errors import ResourceExhausted, Unsupported
from services.lm.catalogue import ModelCatalogue
from services.lm.decode import generate
from services.lm.loader import load_model
from services.lm.sampling import Sampling
from tests import tiny

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[4]


def load(root, dtype=torch.float32, model_id="m"):
    return load_model(ModelCatalogue([root]).get(model_id), CPU, dtype)


def test_a_loaded_model_computes_what_was_saved(tmp_path):
    folder = tiny.save_model(tmp_path, "m")
    lm = load(tmp_path)
    ids = torch.tensor([[1, 20, 30]])
    with torch.no_grad():
        assert torch.equal(lm.model(ids).logits, tiny.causal_lm("llama")(ids).logits)
    assert (
        lm.info.revision == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    )
    assert not lm.model.training and not any(p.requires_grad for p in lm.model.parameters())


def test_a_checkpoint_in_parts_computes_the_same(tmp_path):
    tiny.save_model(tmp_path, "whole")
    folder = tiny.save_model(tmp_path, "m", shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    whole, parts, ids = load(tmp_path, model_id="whole"), load(tmp_path), torch.tensor([[1, 20]])
    with torch.no_grad():
        assert torch.equal(whole.model(ids).logits, parts.model(ids).logits)
    next(folder.glob("model-00001*")).unlink()
    with pytest.raises(Unsupported, match="model-00001"):
        load(tmp_path)


def test_weights_that_are_cut_after_loading_do_no_harm(tmp_path):
    """A view of the file would end the process, or change what the model computes."""
    folder = tiny.save_model(tmp_path, "m", tie_word_embeddings=True)
    lm, ids = load(tmp_path), torch.tensor([[1, 20, 30]])
    assert lm.model.lm_head.weight is lm.model.get_input_embeddings().weight  # still tied
    with torch.no_grad():
        before = lm.model(ids).logits
        os.truncate(folder / "model.safetensors", 100)
        assert torch.equal(lm.model(ids).logits, before)


def test_a_model_that_also_sees_reads_and_writes_text(tmp_path):
    tiny.save_model(tmp_path, "m", "gemma3_seeing")
    lm = load(tmp_path)
    assert (lm.info.family, lm.info.n_layers, lm.info.d_model) == ("gemma3", 3, 64)
    written = generate(lm, [1, 20, 30], Sampling(0), 3, 0).token_ids
    with torch.no_grad():
        assert written[0] == int(lm.model(torch.tensor([[1, 20, 30]])).logits[0, -1].argmax())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_dtype_is_the_asked_one_not_the_checkpoints(tmp_path, dtype):
    model = tiny.causal_lm("llama").half()
    model.save_pretrained(tmp_path / "models/m")
    tiny.byte_level_tokenizer().save_pretrained(tmp_path / "models/m")
    lm = load(tmp_path, dtype)
    assert {p.dtype for p in lm.model.parameters()} == {dtype}
    assert torch.get_default_dtype() == torch.float32


def test_end_tokens_come_from_all_three_places(tmp_path):
    folder = tiny.save_model(tmp_path, "m", eos_token_id=9)
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [7, 8]}))
    assert load(tmp_path).eos_ids == {7, 8, 9, 6}


def test_weights_that_lack_a_tensor_are_not_filled_with_random_numbers(tmp_path):
    path = tiny.save_model(tmp_path, "m") / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(Unsupported, match=r"lack 1 tensors.*up_proj"):
        load(tmp_path)


def test_weights_of_other_shapes_are_refused(tmp_path):
    folder = tiny.save_model(tmp_path, "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 96}))
    with pytest.raises(Unsupported, match="cannot be loaded"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"model": {"type": "BPE"}}'])
def test_a_malformed_tokenizer_is_refused(tmp_path, content):
    (tiny.save_model(tmp_path, "m") / "tokenizer.json").write_text(content)
    with pytest.raises(Unsupported, match="cannot be loaded"):
        load(tmp_path)


def test_a_tokenizer_that_needs_converting_is_refused_with_the_way_out(tmp_path):
    folder = tiny.save_model(tmp_path, "m")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(b"\x0a\x0e\x0a\x05<unk>")
    with pytest.raises(Unsupported, match=r"no tokenizer.json.*save_pretrained"):
        load(tmp_path)


def test_an_unknown_family_is_refused(tmp_path):
    folder = tiny.save_model(tmp_path, "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "never-heard-of"}))
    with pytest.raises(Unsupported, match="knows no language model of the type 'never-heard-of'"):
        load(tmp_path)


def test_a_model_larger_than_the_memory_is_refused_before_loading(tmp_path):
    folder = tiny.save_model(tmp_path, "m")
    n = 10**12
    header = json.dumps({"a": {"dtype": "BF16", "shape": [n // 2], "data_offsets": [0, n]}})
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode())
    os.truncate(path, path.stat().st_size + n)  # sparse
    with pytest.raises(ResourceExhausted, match=r"needs 2000\.0 GB.*ACTISCOPE_DTYPE"):
        load(tmp_path)


def test_loading_from_many_threads_leaves_every_model_whole(tmp_path):
    """Overlapping loads leave transformers' weight tying off: tied models lose their head."""
    tiny.save_model(tmp_path, "m", tie_word_embeddings=True)
    written: list[list[int]] = []
    errors: list[BaseException] = []

    def work():
        try:
            lm = load(tmp_path)
            written.append(generate(lm, [1, 20, 30], Sampling(0), 10, 0).token_ids)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(written) == 6 and all(ids == written[0] for ids in written)


def test_nothing_is_asked_of_the_network(tmp_path):
    tiny.save_model(tmp_path, "m")
    code = (
        "import socket, pathlib\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse\n"
        "from services.lm.catalogue import ModelCatalogue\n"
        "from services.lm.resident import Residents\n"
        "from services.sae.catalogue import SaeCatalogue\n"
        f"roots = [pathlib.Path({str(tmp_path)!r})]\n"
        "lm = Residents(ModelCatalogue(roots), SaeCatalogue(roots), 'cpu').model('m')\n"
        "print(lm.device)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "cpu\n", "")
