"""The models of this server: folders in the layout that `save_pretrained` writes.

Judged from `config.json` and the safetensors headers alone; nothing here imports torch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from services.errors import Unsupported
from services.lm.folders import Folders, Problem
from services.lm.weight_files import FLOATS, broken, read_header, read_json, revision
from services.types import ModelInfo

_OWN_CODE = (
    "asks for code from its folder, which is never run",
    "where transformers itself knows the family, delete the key from a copy of the file; "
    "otherwise take another model",
)
_REFUSED_KEYS = {
    "auto_map": _OWN_CODE,
    "trust_remote_code": _OWN_CODE,
    "custom_pipelines": _OWN_CODE,
    "_attn_implementation_internal": ("names an attention kernel to load", "delete the key"),
    "quantization_config": (
        "is of a quantised checkpoint",
        "take the original one, in float32, bfloat16 or float16",
    ),
}
_TOKENIZERS = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))
_NO_WRITER = re.compile(r"For(?!CausalLM|ConditionalGeneration)[A-Z]\w*$")
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_WIDTH = ("hidden_size", "n_embd", "d_model")
_VOCABULARY = ("vocab_size",)
_FALLBACK_CTX = 2048  # of the few families that state no limit


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model on disk; `info.saes` is empty here."""

    info: ModelInfo
    path: Path
    model_type: str
    weight_files: tuple[Path, ...]


class ModelCatalogue:
    """The models below `<root>/models/` of several roots."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._folders = Folders(roots, "models", "config.json", _read_model)

    def list(self) -> tuple[ModelEntry, ...]:
        """The usable models, by id."""
        return self._folders.list()

    def get(self, model_id: str) -> ModelEntry:
        """The model; `NotFound` lists what exists, `Unsupported` says what is wrong with it."""
        return self._folders.get(model_id)

    def problems(self) -> tuple[Problem, ...]:
        """The folders that are not offered, and why."""
        return self._folders.problems()


def _read_model(model_id: str, path: Path) -> ModelEntry:
    if not (path / "config.json").exists():
        raise _no_model(path)
    there = [file.name for file in path.iterdir() if file.exists()]
    config, tokenizer_config = check_configs(path, there)
    sizes = config.get("text_config", config)
    files = weight_files(path)
    n_params, dtype = _weights(files)
    info = ModelInfo(
        model_id=model_id,
        n_layers=_size(path, sizes, *_LAYERS),
        d_model=_size(path, sizes, *_WIDTH),
        n_ctx=_context(sizes, tokenizer_config),
        n_vocab=_size(path, sizes, *_VOCABULARY),
        n_params=n_params,
        has_chat_template=_has_chat_template(path, tokenizer_config),
        revision=revision(files, hash_large=False),
        family=str(config.get("model_type", "")),
        dtype=dtype,
        size_bytes=sum(file.stat().st_size for file in files),
    )
    return ModelEntry(info, path, info.family, files)


def check_configs(path: Path, names: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """config.json and tokenizer_config.json (empty where it is missing) of a model folder that
    has, or will have, files of these names.

    Raises `Unsupported` for all that can be said against a model without its weights.
    """
    config = read_json(path / "config.json")
    refuse_code(path / "config.json", config)
    _refuse_other_kinds(path, config)
    tokenizer_config = _optional(path / "tokenizer_config.json")
    refuse_code(path / "tokenizer_config.json", tokenizer_config)
    _refuse_without_tokenizer(path, names)
    for size in (_LAYERS, _WIDTH, _VOCABULARY):
        _size(path, config.get("text_config", config), *size)
    return config, tokenizer_config


def _refuse_without_tokenizer(path: Path, there: Collection[str]) -> None:
    if not any(there_are <= set(there) for there_are in map(set, _TOKENIZERS)):
        remedy = "copy the tokenizer's files (tokenizer.json, tokenizer_config.json) beside it"
        raise broken(path / "tokenizer.json", "is missing", remedy)


def _has_chat_template(path: Path, tokenizer_config: dict[str, Any]) -> bool:
    files = ("chat_template.jinja", "chat_template.json")
    return "chat_template" in tokenizer_config or any((path / name).exists() for name in files)


def _weights(files: Sequence[Path]) -> tuple[int, str]:
    """Number of parameters, and the dtype that most of them have."""
    counts: Counter[str] = Counter()
    for file in files:
        for spec in read_header(file).values():
            counts[spec.dtype] += spec.numel
    dtype = counts.most_common(1)[0][0]
    if dtype not in FLOATS:
        remedy = "take the original checkpoint, in float32, bfloat16 or float16"
        raise broken(files[0], f"holds {dtype} weights: it is quantised", remedy)
    return counts.total(), dtype


def _refuse_other_kinds(path: Path, config: dict[str, Any]) -> None:
    kinds = config.get("architectures")
    kinds = [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []
    if config.get("is_encoder_decoder") is True:
        problem = "is of an encoder and a decoder"
    elif kinds and all(_NO_WRITER.search(kind) for kind in kinds):
        problem = f"is of a {kinds[0]}, which does not write text"
    else:
        return
    remedy = "take a decoder-only language model (one that transformers calls ...ForCausalLM)"
    raise broken(path / "config.json", problem, remedy)


def _no_model(path: Path) -> Unsupported:
    """What to say of a folder without config.json, by what is there instead."""
    names = sorted(file.name for file in path.iterdir())
    if "adapter_config.json" in names:
        remedy = "merge it into its model (`merge_and_unload` of peft), and save the whole"
        return broken(path / "adapter_config.json", "is of an adapter, not of a model", remedy)
    gguf = next((name for name in names if name.endswith(".gguf")), None)
    if gguf is not None:
        remedy = "take the repository that it was made from, with config.json and safetensors"
        return broken(path / gguf, "is in GGUF format, which is not read", remedy)
    remedy = "copy the whole folder, as `save_pretrained` writes it"
    return broken(path / "config.json", "is missing", remedy)


def _context(config: Any, tokenizer_config: dict[str, Any]) -> int:
    """Longest sequence: as the model states it, else the tokenizer."""
    names = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
    found = [value for value in map(config.get, names) if _is_size(value)]
    stated = tokenizer_config.get("model_max_length")
    # Tokenizers write 10**30 for "no limit".
    found += [stated] if _is_size(stated) and stated < 10**7 else []
    return found[0] if found else _FALLBACK_CTX


def refuse_code(path: Path, config: dict[str, Any]) -> None:
    """Raise `Unsupported` when a configuration, at any depth, wants code or kernels loaded."""
    for key in _keys(config):
        if key in _REFUSED_KEYS:
            problem, remedy = _REFUSED_KEYS[key]
            raise broken(path, f"{problem} (`{key}`)", remedy)


def weight_files(path: Path) -> tuple[Path, ...]:
    """The safetensors files of a model folder, in order; `Unsupported` when there are none."""
    single, index = path / "model.safetensors", path / "model.safetensors.index.json"
    if single.exists() or single.is_symlink():
        return (single,)
    if not index.exists():
        raise _no_safetensors(path)
    names = read_json(index).get("weight_map")
    names = sorted(set(names.values())) if isinstance(names, dict) else []
    if not names or any(Path(name).name != name for name in names):
        raise broken(index, "names no files of its own folder", "copy or download it again")
    return tuple(path / name for name in names)


def _no_safetensors(path: Path) -> Unsupported:
    names = sorted(file.name for file in path.iterdir())
    for suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack", ".gguf"):
        found = [n for n in names if n.endswith(suffix) and n != "training_args.bin"]
        if found and suffix == ".gguf":
            remedy = "take the repository that it was made from, with safetensors"
            return broken(path / found[0], "is in GGUF format, which is not read", remedy)
        if found:
            problem = "is not in safetensors format, and may run code when it is opened"
            remedy = (
                "convert it where you trust it: "
                "AutoModelForCausalLM.from_pretrained(folder).save_pretrained(new_folder), "
                "or take a revision of the repository that has safetensors"
            )
            return broken(path / found[0], problem, remedy)
    other = next((n for n in names if n.endswith(".safetensors")), None)
    remedy = f"there is {other}, in another layout: " if other else ""
    remedy += "copy the whole folder, as `save_pretrained` writes it"
    return broken(path / "model.safetensors", "is missing", remedy)


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _size(path: Path, config: Any, *names: str) -> int:
    for name in names:
        value = config.get(name) if isinstance(config, dict) else None
        if _is_size(value):
            return value
    raise broken(path / "config.json", f"has no usable `{names[0]}`", "copy it again")


def _is_size(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            # Configurations are often saved with an explicit "off", which asks for nothing.
            if inner not in (None, False):
                yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)
