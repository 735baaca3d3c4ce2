"""Converting an SAE that was found into the format that is read at run time.

Tensor by tensor: at no time is more than one of them (and its copy) in memory.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psutil

from services.errors import Conflict, InvalidArgument, ResourceExhausted
from services.lm.weight_files import TensorSpec, broken
from services.sae.config import CONFIG, WEIGHTS, check_weights, parse_config, read_config
from services.sae.formats.arrays import read_values
from services.sae.formats.found import FoundSae, Part, Step

if TYPE_CHECKING:
    from torch import Tensor

_COPIES = 4  # of the largest tensor at once: in bfloat16, a float32 copy to scale counts twice
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_COLUMNS = 256  # of the decoder at once when its rows are measured: float32 copies stay small
_SHORTEST = 1e-8  # what sae-lens takes for the length of a decoder row of zeros


def convert(
    found: FoundSae,
    target: Path,
    *,
    model_name: str | None = None,
    hook_name: str | None = None,
) -> None:
    """Write `found` into the folder `target` as cfg.json and sae_weights.safetensors.

    `model_name` and `hook_name` fill in what the files do not say, and win over it. Raises
    `InvalidArgument` when something needed is missing, `Unsupported` when the weights are not
    finite numbers or the files changed, `Conflict` when there is an SAE in `target` already, and
    `ResourceExhausted`; then nothing of it is left in `target`.
    """
    config = _completed(found, model_name, hook_name)
    parse_config(config, found.files[0])
    if (target / CONFIG).exists() or (target / WEIGHTS).exists():
        raise Conflict(f"{target.name} holds an SAE already: choose another id", path=str(target))
    _check_room(found, target)
    is_new = not target.exists()
    target.mkdir(parents=True, exist_ok=True)
    partial = target / f".{WEIGHTS}.partial"
    try:
        _check_ones(found)
        with partial.open("wb") as file:
            _write(found.parts, file)
        os.replace(partial, target / WEIGHTS)
        (target / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        check_weights(target, read_config(target))
    except BaseException:
        for name in (partial.name, WEIGHTS, CONFIG):
            (target / name).unlink(missing_ok=True)
        if is_new:
            shutil.rmtree(target, ignore_errors=True)
        raise


def _completed(found: FoundSae, model_name: str | None, hook_name: str | None) -> dict[str, Any]:
    meta = dict(found.config["metadata"])
    if model_name:
        meta["model_name"] = model_name
    if hook_name and hook_name != meta.get("hook_name"):
        meta["hook_name"] = hook_name
        meta.pop("hf_hook_name", None)
    given = {"model_id": meta.get("model_name"), "hook_name": meta.get("hook_name")}
    missing = [name for name in found.needs if not given.get(name)]
    if missing:
        what = " and ".join(missing)
        raise InvalidArgument(
            f"{found.path or found.files[0].name} does not say its {what}: give {what}",
            needs=missing,
        )
    return {**found.config, "metadata": meta}


def _check_room(found: FoundSae, target: Path) -> None:
    sizes = [_size(part) for part in found.parts.values()]
    there = next(folder for folder in (target, *target.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if sum(sizes) > free:
        raise ResourceExhausted(
            f"the converted SAE takes {sum(sizes) / 1e9:.1f} GB, {free / 1e9:.1f} GB of disk are "
            "free: make room, or put the data folder on another disk"
        )
    available = psutil.virtual_memory().available
    needed = _COPIES * max(sizes)
    if needed > available:
        raise ResourceExhausted(
            f"converting takes {needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB are free: "
            "unload models, or convert it on a larger machine"
        )


def _size(part: Part) -> int:
    return TensorSpec(part.dtype, part.shape).numel * _BYTES[part.dtype]


def _check_ones(found: FoundSae) -> None:
    for path, name in found.ones:
        if not bool((read_values(path, name) == 1).all()):
            raise broken(path, f"has a finetuning scale ({name})", "fold it into the weights")


def _write(parts: Mapping[str, Part], file: IO[bytes]) -> None:
    """The safetensors format: length of the header, header, values."""
    header, end = {}, 0
    for name, part in parts.items():
        begin, end = end, end + _size(part)
        header[name] = {
            "dtype": part.dtype, "shape": list(part.shape), "data_offsets": [begin, end]
        }  # fmt: skip
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    tensors = _Tensors(parts)
    for name in parts:
        file.write(_as_bytes(tensors.made(name)))
    file.flush()
    os.fsync(file.fileno())


def _as_bytes(tensor: Tensor) -> memoryview:
    import torch

    return tensor.contiguous().flatten().view(torch.uint8).numpy().data


@dataclass
class _Tensors:
    """The tensors to write, made one at a time; only the decoder's lengths are kept."""

    parts: Mapping[str, Part]
    _lengths: list[Tensor] = field(default_factory=list)

    def made(self, name: str) -> Tensor:
        """The tensor as it is written; `Unsupported` when it is not of finite numbers."""
        part, tensor = self.parts[name], self._computed(name)
        # Infinities do not cancel in a sum: one cheap pass, and a second one only in doubt.
        total = tensor.sum()
        if not (bool(total.isfinite()) or bool(tensor.isfinite().all())):
            problem = f"gives NaN or infinite numbers in {name}"
            raise broken(_file(part), problem, "copy, download or train it again")
        return tensor

    def _computed(self, name: str) -> Tensor:
        import torch

        part = self.parts[name]
        dtype = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16}.get(
            part.dtype, torch.bfloat16
        )
        if not part.name:
            tensor = torch.full(part.shape, part.fill, dtype=torch.float32)
        else:
            tensor = self._read(part)
        for step in part.steps:
            tensor = self._done(tensor, step, name)
        tensor = tensor.to(dtype)
        if tuple(tensor.shape) != part.shape:
            raise broken(_file(part), f"changed its {name} while it was read", "add it again")
        return tensor

    def _read(self, part: Part) -> Tensor:
        tensor = read_values(_file(part), part.name)
        moves = {"transpose", "spread"}
        is_changed = any(step.kind not in moves for step in part.steps)
        return tensor.float() if is_changed and tensor.element_size() < 4 else tensor

    def _done(self, tensor: Tensor, step: Step, name: str) -> Tensor:
        if step.kind == "transpose":
            return tensor.T
        # In place: a copy of a large matrix costs as much memory as the matrix.
        if step.kind == "exp":
            return tensor.exp_()
        if step.kind == "scale":
            return tensor.mul_(step.value)
        if step.kind == "sum":
            return tensor.sum(int(step.value))
        if step.kind == "spread":
            return tensor.reshape(1).repeat(int(step.value))
        if step.kind == "norm":
            lengths = self._decoder_lengths() ** step.value
            return tensor.mul_(lengths[:, None] if name == "W_dec" else lengths)
        if step.kind == "above":
            return self._above(tensor, step.value, name)
        raise ValueError(step.kind)

    def _above(self, tensor: Tensor, value: float, name: str) -> Tensor:
        if not bool((tensor > value).all()):
            problem = f"has a {name} of {float(tensor.min()):g}: it was never learnt"
            remedy = "train further, or convert it as TopK"
            raise broken(_file(self.parts[name]), problem, remedy)
        return tensor

    def _decoder_lengths(self) -> Tensor:
        """Of the decoder's rows, as they are before anything is divided by them."""
        import torch

        if not self._lengths:
            part = self.parts["W_dec"]
            bare = replace(part, steps=tuple(s for s in part.steps if s.kind != "norm"))
            decoder = _Tensors({"W_dec": bare})._computed("W_dec")
            squares = torch.zeros(decoder.shape[0])
            for columns in decoder.split(_COLUMNS, dim=1):
                squares += columns.float().square_().sum(1)
            self._lengths.append(squares.sqrt_().clamp_(min=_SHORTEST))
        return self._lengths[0]


def _file(part: Part) -> Path:
    return part.file or Path()
