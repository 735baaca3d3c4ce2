"""Arrays in safetensors and npz files: headers first, values one array at a time, never pickle.

Values are read into memory, not mapped: a mapped file that shrinks takes the process down.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from services.lm.weight_files import TensorSpec, broken, opened, read_header
from services.sae.formats import npz

if TYPE_CHECKING:
    from torch import Tensor

PICKLES = (".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy")
_NUMPY = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def read_specs(path: Path) -> dict[str, TensorSpec]:
    """What the arrays of the file are; `Unsupported` names the file and what is wrong with it."""
    start = _start(path)
    if is_pickle(start):
        raise broken(path, "is a pickle, whatever its name", how_to_convert(path))
    if path.suffix == ".npz":
        return npz.read_specs(path)
    if start.startswith(b"PK"):
        raise broken(path, "is a zip archive, as PyTorch's pickles are", how_to_convert(path))
    specs = read_header(path)
    _offsets(path)
    return specs


def read_values(path: Path, name: str) -> Tensor:
    """One array of the file, in the dtype it is kept in."""
    import torch

    values, dtype = _read(path, name)
    tensor = torch.from_numpy(values)
    return tensor.view(torch.bfloat16) if dtype == "BF16" else tensor


def read_number(path: Path, name: str) -> float:
    """The one number of a small array; nothing imports torch for it."""
    values, dtype = _read(path, name)
    if values.size != 1:
        raise broken(path, f"has {values.size} numbers in {name} where one is due", "copy it again")
    if dtype == "BF16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return float(values.flat[0])


def _read(path: Path, name: str) -> tuple[np.ndarray[Any, Any], str]:
    """The array, and its dtype in safetensors' words; BF16 comes as its bits."""
    if path.suffix == ".npz":
        return npz.read_values(path, name), ""
    spec, begin = read_specs(path)[name], _offsets(path)[name]
    if spec.dtype not in _NUMPY:
        raise broken(path, f"keeps {name} as {spec.dtype}", "convert it to float or bfloat16")
    values = np.empty(spec.numel, _NUMPY[spec.dtype])
    with opened(path) as file:
        file.seek(begin)
        if file.readinto(values.view(np.uint8).data) != values.nbytes:
            raise broken(path, "became shorter while it was read", "copy it again")
    return values.reshape(spec.shape), spec.dtype


def is_pickle(start: bytes) -> bool:
    """Whether a file that starts like this is a pickle of protocol 2 to 5."""
    return len(start) > 1 and start[0] == 0x80 and 2 <= start[1] <= 5


def how_to_convert(path: Path) -> str:
    """What to do with a pickle."""
    return (
        "pickles can run code when they are opened, so none is opened here. "
        "Where you trust it, convert it once:\n"
        "import torch\n"
        "from safetensors.torch import save_file\n"
        f'state = torch.load("{path.name}", map_location="cpu", weights_only=True)\n'
        "state = {k: v.contiguous() for k, v in state.items() if torch.is_tensor(v)}\n"
        f'save_file(state, "{path.stem}.safetensors")'
    )


def _start(path: Path) -> bytes:
    try:
        with opened(path) as file:
            return file.read(64)
    except OSError as error:
        raise broken(path, f"cannot be read ({error.strerror})", "check that it exists") from None


def _offsets(path: Path) -> Mapping[str, int]:
    """Where in the file each tensor begins; the header was judged by `read_header` before."""
    with opened(path) as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    end = 0
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        if tensor["data_offsets"][0] != end:
            raise broken(path, f"has a gap or an overlap before {name[:80]}", "copy it again")
        end = tensor["data_offsets"][1]
    return {name: 8 + length + tensor["data_offsets"][0] for name, tensor in header.items()}
