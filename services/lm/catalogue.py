"""The models of this server: folders in the layout that `save_pretrained` writes.

Judged from `config.json` and the safetensors headers alone; nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.lm.folders import Folders, Problem
from services.lm.weight_files import broken, read_header, read_json, revision
from services.types import ModelInfo

_CODE_KEYS = {
    "auto_map": "asks for code from its folder",
    "trust_remote_code": "asks for code from its folder",
    "custom_pipelines": "asks for code from its folder",
    "_attn_implementation_internal": "names an attention kernel to load",
    "quantization_config": "is a quantised checkpoint",
}


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
    config = read_json(path / "config.json")
    refuse_code(path / "config.json", config)
    tokenizer_config = _optional(path / "tokenizer_config.json")
    refuse_code(path / "tokenizer_config.json", tokenizer_config)
    if not any((path / name).exists() for name in ("tokenizer.json", "tokenizer.model")):
        raise broken(path / "tokenizer.json", "is missing", "copy the model's tokenizer files")
    sizes = config.get("text_config", config)
    files = weight_files(path)
    info = ModelInfo(
        model_id=model_id,
        n_layers=_size(path, sizes, "num_hidden_layers", "n_layer"),
        d_model=_size(path, sizes, "hidden_size", "n_embd"),
        n_ctx=_size(path, sizes, "max_position_embeddings", "n_positions", "n_ctx"),
        n_vocab=_size(path, sizes, "vocab_size"),
        n_params=sum(spec.numel for file in files for spec in read_header(file).values()),
        has_chat_template="chat_template" in tokenizer_config
        or any((path / name).exists() for name in ("chat_template.jinja", "chat_template.json")),
        revision=revision(files, hash_large=False),
    )
    return ModelEntry(info, path, str(config.get("model_type", "")), files)


def refuse_code(path: Path, config: dict[str, Any]) -> None:
    """Raise `Unsupported` when a configuration, at any depth, wants code or kernels loaded."""
    for key in _keys(config):
        if key in _CODE_KEYS:
            problem = f"{_CODE_KEYS[key]} (`{key}`)"
            raise broken(path, problem, "only plain safetensors checkpoints are loaded")


def weight_files(path: Path) -> tuple[Path, ...]:
    """The safetensors files of a model folder, in order; `Unsupported` when there are none."""
    single, index = path / "model.safetensors", path / "model.safetensors.index.json"
    if single.exists() or single.is_symlink():
        return (single,)
    if not index.exists():
        raise broken(single, "is missing", "only safetensors weights are loaded; convert others")
    names = read_json(index).get("weight_map")
    names = sorted(set(names.values())) if isinstance(names, dict) else []
    if not names or any(Path(name).name != name for name in names):
        raise broken(index, "names no files of its own folder", "copy or download it again")
    return tuple(path / name for name in names)


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _size(path: Path, config: Any, *names: str) -> int:
    for name in names:
        value = config.get(name) if isinstance(config, dict) else None
        if isinstance(value, int) and value > 0:
            return value
    raise broken(path / "config.json", f"has no usable `{names[0]}`", "copy it again")


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
