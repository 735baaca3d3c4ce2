"""Files that are broken or hostile: a typed error, nothing executed, nothing left behind."""

from __future__ import annotations

import ast
import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from services.errors import Conflict, InvalidArgument, ResourceExhausted, Unsupported
from services.sae.formats import ACCEPTED, Hints, convert, look
from tests.broken_files import SAFETENSORS, header
from tests.sae_layouts import D_IN, D_SAE, LAYOUTS, arrays, lens_cfg, save, write_json

WEIGHTS = "sae_weights.safetensors"


class Canary:
    """Unpickled, it would create the marker file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def pickled(marker, protocol):
    """A pickle that creates `marker` when it is loaded."""
    command = f"touch {marker}".encode()
    if protocol == 0:
        return b"cos\nsystem\n(S'" + command + b"'\ntR."
    return (
        b"\x80" + bytes([protocol]) + b"cos\nsystem\n(X" + struct.pack("<I", len(command))
    ) + command + b"tR."  # fmt: skip


def torch_zip(path, marker):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(marker, 2))
        archive.writestr("archive/version", "3")


def refused(path, hints=None):
    """The error, with the folder unchanged by looking."""
    before = sorted(path.rglob("*")) if path.is_dir() else None
    with pytest.raises(Unsupported) as caught:
        look(path, hints or Hints())
    assert before is None or sorted(path.rglob("*")) == before
    return caught.value


WEIGHT_FILES = [c for c in LAYOUTS if c not in ("sae-lens before 6", "goodfire, converted")]


@pytest.mark.parametrize("what", SAFETENSORS)
@pytest.mark.parametrize("case", ["sae-lens jumprelu", "bare"])
def test_weight_files_that_are_none_are_refused_by_name(tmp_path, case, what):
    made = LAYOUTS[case][1](tmp_path)
    (file,) = tmp_path.rglob("*.safetensors")
    content, said = SAFETENSORS[what]
    file.write_bytes(content)
    error = refused(made.path)
    if case == "bare" and what == "another tensor":
        said = "Accepted are"
    assert said in error.message or (what == "pickle" and "is a pickle" in error.message)
    assert file.name in error.message


@pytest.mark.parametrize("case", WEIGHT_FILES)
def test_every_layout_refuses_weights_that_are_truncated(tmp_path, case):
    made = LAYOUTS[case][1](tmp_path)
    files = [*tmp_path.rglob("*.safetensors"), *tmp_path.rglob("*.npz")]
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    assert any(file.name in refused(made.path, _hints(made)).message for file in files)


@pytest.mark.parametrize("case", WEIGHT_FILES)
def test_every_layout_refuses_tensors_of_other_sizes(tmp_path, case):
    made = LAYOUTS[case][1](tmp_path)
    for file in [*tmp_path.rglob("*.safetensors"), *tmp_path.rglob("*.npz")]:
        tensors = _load(file)
        (bias,) = [n for n in tensors if n.startswith(("b_dec", "decoder.bias", "decoder_bias")) or
                   n == "bias"] or [None]  # fmt: skip
        if bias:
            _store(file, tensors | {bias: tensors[bias][:-1]})
    assert "due" in refused(made.path, _hints(made)).message


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("case", WEIGHT_FILES)
def test_weights_that_are_no_numbers_are_refused_and_nothing_is_left(tmp_path, case, value):
    made = LAYOUTS[case][1](tmp_path)
    file = [*tmp_path.rglob("*.safetensors"), *tmp_path.rglob("*.npz")][-1]
    tensors = _load(file)
    name = next(n for n in tensors if tensors[n].ndim > 1)
    tensors[name][0] = value
    _store(file, tensors)
    (found,) = look(made.path, _hints(made)).found
    with pytest.raises(Unsupported, match="NaN or infinite"):
        convert(found, tmp_path / "target", model_name="m", hook_name="blocks.1.hook_resid_post")
    assert not (tmp_path / "target").exists()


def _hints(made):
    return Hints(made.origin, made.overrides or {})


def _load(file):
    if file.suffix == ".npz":
        return dict(np.load(file))
    return {n: t.float().numpy() for n, t in load_file(file).items()}


def _store(file, tensors):
    if file.suffix == ".npz":
        np.savez(file, **tensors)
    else:
        save_file({n: torch.from_numpy(np.array(t, order="C")) for n, t in tensors.items()}, file)


NAMES = ["ae.pt", "x.pth", "pytorch_model.bin", "x.pkl", "x.ckpt", "x.npy", "weights.dat"]
RENAMED = ["sae_weights.safetensors", "params.npz", "x.safetensors", "ae.safetensors",
           "sae.safetensors", "params.safetensors", "layer_1.safetensors"]  # fmt: skip


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", [*NAMES, *RENAMED])
def test_no_pickle_is_ever_loaded_whatever_its_name(tmp_path, name, protocol):
    folder, marker = tmp_path / "sae", tmp_path / "marker"
    write_json(folder / "cfg.json", lens_cfg("standard"))
    (folder / name).write_bytes(pickled(marker, protocol))
    for place in (folder, folder / name):
        error = refused(place)
        assert name in error.message
        if name in NAMES and not (name == "weights.dat" and protocol == 0):
            assert "pickle" in error.message and "save_file" in error.message
    assert not marker.exists()


@pytest.mark.parametrize("name", ["ae.pt", "params.npz", "sae_weights.safetensors"])
def test_no_pickle_of_pytorch_is_loaded_whatever_its_name(tmp_path, name):
    folder, marker = tmp_path / "sae", tmp_path / "marker"
    write_json(folder / "cfg.json", lens_cfg("standard"))
    torch_zip(folder / name, marker)
    assert name in refused(folder).message and not marker.exists()


def test_arrays_of_pickled_objects_are_refused(tmp_path):
    marker = tmp_path / "marker"
    folder = tmp_path / "gemma-scope-2b-pt-res" / "layer_1"
    folder.mkdir(parents=True)
    real = {n: a for n, a in arrays().items() if n != "W_skip"}
    np.savez(folder / "params.npz", **real | {"b_dec": np.array([Canary(marker)], dtype=object)})
    assert "pickled objects in b_dec" in refused(folder).message
    assert not marker.exists()
    np.load(folder / "params.npz", allow_pickle=True)["b_dec"]
    assert marker.exists(), "the canary works"


def npz(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)


def npy(array, cut=None, shape=None):
    import io

    file = io.BytesIO()
    np.save(file, array)
    content = file.getvalue()
    if shape:
        old = str(array.shape).encode() + b", }"
        content = content.replace(old + b" " * (len(shape) - len(old) + 3), shape + b", }", 1)
    return content[:cut]


VECTOR = np.ones(4, np.float32)
NPZ = {
    "other entries": ([("a.txt", b"x")], "no archive of arrays"),
    "nothing": ([], "holds 0 arrays"),
    "a name twice": ([("a.npy", npy(VECTOR)), ("a.npy", npy(VECTOR))], "twice"),
    "no header": ([("W_enc.npy", b"garbage garbage")], "malformed header"),
    "an empty array": ([("W_enc.npy", npy(np.ones((0, 4), np.float32)))], "lacks"),
    "cut": ([("W_enc.npy", npy(VECTOR, cut=-3))], "other bytes"),
    "another shape": ([("W_enc.npy", npy(VECTOR, shape=b"(9,)"))], "other bytes"),
    "a huge shape": ([("W_enc.npy", npy(VECTOR, shape=b"(999999999999999,)"))], "bytes"),
    "text": ([("W_enc.npy", npy(np.array(["a", "b"])))], "save it as float32"),
    "whole numbers": ([("W_enc.npy", npy(np.ones((3, 4), np.int32)))], "float"),
    "another array": ([("x.npy", npy(VECTOR))], "lacks the tensor W_enc"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", NPZ)
def test_npz_files_that_are_none_are_refused_with_what_is_wrong(tmp_path, case):
    entries, said = NPZ[case]
    npz(tmp_path / "params.npz", entries)
    message = refused(tmp_path).message
    assert said in message and "params.npz" in message


def test_a_damaged_npz_is_refused_at_the_latest_when_it_is_read(tmp_path):
    made = LAYOUTS["gemma scope"][1](tmp_path)
    (file,) = made.path.rglob("params.npz")
    content = bytearray(file.read_bytes())
    content[2000] ^= 0xFF  # inside the values: only the checksum can know
    file.write_bytes(content)
    (found,) = look(made.path).found
    with pytest.raises(Unsupported, match=r"no readable \.npz"):
        convert(found, tmp_path / "target")
    assert not (tmp_path / "target").exists()


META = lens_cfg("x")["metadata"]
CONFIGS = {
    "no JSON": ("{", "no valid JSON"),
    "no object": ("[]", "no JSON object"),
    "not UTF-8": (b"\xff\xfe{}", "no valid JSON"),
    "deep nesting": ('{"a":' * 100_000, "no valid JSON"),
    "empty": ("", "no valid JSON"),
    "unknown architecture": ({"architecture": "quantum"}, "known are"),
    "architecture no text": ({"architecture": ["jumprelu"]}, "known are"),
    "no d_in": ({"d_in": None}, "no usable d_in"),
    "d_sae no number": ({"d_sae": "96"}, "no usable d_sae"),
    "d_sae beyond all": ({"d_sae": 1e300}, "no usable d_sae"),
    "d_sae of others": ({"d_sae": 512}, "where [64, 512] is due"),
    "transposed": ({"d_in": D_SAE, "d_sae": D_IN}, "(transposed)"),
    "topk without k": ({"architecture": "topk"}, "no usable k"),
    "one head": ({"metadata": {**META, "hook_head_index": 3}}, "single attention head"),
    "no layer": ({"metadata": {**META, "hook_name": "hook_pos_embed"}}, "without a layer"),
    "model no text": ({"metadata": {**META, "model_name": ["a"]}}, "no short text"),
    "hook no text": ({"metadata": {**META, "hook_name": {"a": 1}}}, "no hook_name"),
    "NaN": ({"metadata": {**META, "l0": float("nan")}}, "NaN"),
    "scale not recorded": ({"normalize_activations": "expected_average_only_in"}, "unscaled"),
    "whitening": ({"normalize_activations": "covariance_whitening"}, "not part of the weights"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configurations_that_cannot_be_followed_are_refused_with_the_value(tmp_path, case):
    made = LAYOUTS["sae-lens standard"][1](tmp_path)
    change, said = CONFIGS[case]
    path = made.path / "cfg.json"
    if isinstance(change, dict):
        change = json.dumps(json.loads(path.read_text()) | change)
    path.write_bytes(change if isinstance(change, bytes) else change.encode())
    assert said in refused(made.path).message


OTHER_CONFIGS = {
    "llama: no threshold": ("llama scope", {"jump_relu_threshold": None}, "jump_relu_threshold"),
    "llama: no norm": ("llama scope", {"dataset_average_activation_norm": None}, "mean length"),
    "llama: norm 0": ("llama scope", {"dataset_average_activation_norm": {"in": 0}}, "usable in"),
    "llama: another norm": ("llama scope", {"norm_activation": "batch"}, "known are"),
    "llama: gated linear": ("llama scope", {"use_glu_encoder": True}, "not supported"),
    "llama: act_fn": ("llama scope", {"act_fn": "gelu"}, "known are"),
    "sparsify: groupmax": ("sparsify", {"activation": "groupmax"}, "only topk"),
    "sparsify: no k": ("sparsify", {"k": None}, "no usable k"),
    "gemma 2: relu": ("gemma scope 2", {"architecture": "relu"}, "jump_relu"),
    "dictionary: class": (
        "dictionary_learning topk", {"trainer": {"dict_class": "CrossCoder"}}, "known are",
    ),
    "dictionary: no trainer": ("dictionary_learning topk", {"trainer": 3}, "no trainer"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHER_CONFIGS)
def test_configurations_of_other_layouts_are_refused_with_the_value(tmp_path, case):
    layout, change, said = OTHER_CONFIGS[case]
    made = LAYOUTS[layout][1](tmp_path)
    name = {"llama scope": "hyperparams.json", "sparsify": "cfg.json"}.get(layout, "config.json")
    path = next(p for p in made.path.rglob(name) if list(p.parent.rglob("*.safetensors")))
    if layout == "sparsify":
        path = made.path / "layers.6" / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert said in refused(made.path).message


def test_thresholds_that_were_never_learnt_are_refused(tmp_path):
    for case, name in (
        ("sae-lens batchtopk checkpoint", "topk_threshold"),
        ("dictionary_learning batchtopk", "threshold"),
    ):
        made = LAYOUTS[case][1](tmp_path)
        (file,) = made.path.rglob("*.safetensors")
        tensors = load_file(file)
        tensors[name] = torch.tensor(0.0 if "checkpoint" in case else -1.0)
        save_file(tensors, file)
        (found,) = look(made.path).found
        with pytest.raises(Unsupported, match="never learnt"):
            convert(found, tmp_path / "target")
        assert not (tmp_path / "target").exists()


def test_a_finetuning_scale_is_not_ignored(tmp_path):
    made = LAYOUTS["sae-lens before 6"][1](tmp_path)
    file = made.path / WEIGHTS
    save_file(load_file(file) | {"scaling_factor": torch.full((D_SAE,), 2.0)}, file)
    (found,) = look(made.path, _hints(made)).found
    with pytest.raises(Unsupported, match="finetuning scale"):
        convert(found, tmp_path / "target")


def test_sparse_files_of_many_gigabytes_are_judged_by_their_headers(tmp_path):
    """Beside tiny tensors; and with tensors that take it all, which no memory holds."""
    made = LAYOUTS["sae-lens standard"][1](tmp_path)
    os.truncate(made.path / WEIGHTS, 50 * 2**30)
    assert "after its last tensor" in refused(made.path).message
    d_in, d_sae = 2**18, 2**20
    shapes = {"W_enc": (d_in, d_sae), "b_enc": (d_sae,), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
    tensors, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * int(np.prod(shape))
        tensors[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    start = header(tensors)
    (made.path / WEIGHTS).write_bytes(start)
    try:
        os.truncate(made.path / WEIGHTS, len(start) + end)
    except OSError:
        pytest.skip("this file system has no files of two terabytes")
    write_json(made.path / "cfg.json", lens_cfg("standard", d_in=d_in, d_sae=d_sae))
    (found,) = look(made.path).found
    with pytest.raises(ResourceExhausted, match="free"):
        convert(found, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_file_that_changed_after_looking_is_refused(tmp_path):
    made = LAYOUTS["sae-lens standard"][1](tmp_path)
    (found,) = look(made.path).found
    file = made.path / WEIGHTS
    content = file.read_bytes()
    file.write_bytes(content[:-10])
    with pytest.raises(Unsupported, match="truncated"):
        convert(found, tmp_path / "target")
    file.unlink()
    with pytest.raises(Unsupported, match="cannot be read"):
        convert(found, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_overlapping_tensors_are_refused(tmp_path):
    made = LAYOUTS["sae-lens standard"][1](tmp_path)
    spec = {"dtype": "F32", "shape": [2]}
    tensors = {n: spec | {"data_offsets": o} for n, o in (("a", [0, 8]), ("b", [4, 12]))}
    (made.path / WEIGHTS).write_bytes(header(tensors, b"x" * 12))
    assert "overlap" in refused(made.path).message


def test_what_is_in_the_target_already_is_never_touched(tmp_path):
    made = LAYOUTS["sae-lens standard"][1](tmp_path)
    (found,) = look(made.path).found
    target = tmp_path / "target"
    convert(found, target)
    before = {p.name: p.read_bytes() for p in target.iterdir()}
    with pytest.raises(Conflict, match="already"):
        convert(found, target)
    assert {p.name: p.read_bytes() for p in target.iterdir()} == before


def test_what_the_files_do_not_say_must_be_given(tmp_path):
    made = LAYOUTS["bare"][1](tmp_path)
    (found,) = look(made.path).found
    for given, missing in (({}, "model_id and hook_name"), ({"model_name": "m"}, "hook_name")):
        with pytest.raises(InvalidArgument, match=missing):
            convert(found, tmp_path / "target", **given)
    with pytest.raises(Unsupported, match="without a layer"):
        convert(found, tmp_path / "target", model_name="m", hook_name="residual")
    assert not (tmp_path / "target").exists()


def test_the_way_to_convert_a_pickle_works(tmp_path, monkeypatch):
    """The lines that the refusal gives, run as they are, make the file acceptable."""
    made = LAYOUTS["dictionary_learning batchtopk"][1](tmp_path)
    (file,) = made.path.rglob("ae.safetensors")
    torch.save(load_file(file), file.with_suffix(".pt"))
    file.unlink()
    message = refused(made.path).message
    lines = message.splitlines()[1:]
    assert len(lines) == 5
    monkeypatch.chdir(file.parent)
    exec(compile(ast.parse("\n".join(lines)), "lines", "exec"), {})
    (found,) = look(made.path).found
    assert found.format == "dictionary_learning"


def test_where_there_is_no_sae_it_says_what_there_is_and_what_is_accepted(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    save(tmp_path / "model.safetensors", {"lm_head.weight": np.ones((3, 4), np.float32)})
    error = refused(tmp_path)
    assert "model.safetensors, notes.txt" in error.message
    assert all(line in error.message for line in ACCEPTED.values())
    assert "notes.txt" in refused(tmp_path / "notes.txt").message
    (tmp_path / "empty").mkdir()
    assert "nothing" in refused(tmp_path / "empty").message
    with pytest.raises(Unsupported, match="there is no"):
        look(tmp_path / "missing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_files_and_folders_that_may_not_be_read_are_named(tmp_path):
    made = LAYOUTS["sae-lens standard"][1](tmp_path)
    (made.path / WEIGHTS).chmod(0)
    assert "cannot be read" in refused(made.path).message
