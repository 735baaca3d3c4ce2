"""Where and how precisely to compute, with how many threads, and how much memory there is."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from services.errors import InvalidArgument, ResourceExhausted, Unsupported

_SMALL_MODEL_PARAMS = 50_000_000  # below, thread barriers cost more than a second core gives


def choose_device(setting: str) -> Any:
    """The `torch.device` for `auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    import torch

    if setting == "auto":
        setting = "cuda" if torch.cuda.is_available() else "cpu"
        if setting == "cpu" and torch.backends.mps.is_available():
            setting = "mps"
    try:
        device = torch.device(setting)
    except RuntimeError:
        raise InvalidArgument(f"device {setting!r}: give auto, cpu, cuda, cuda:N or mps") from None
    n_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = {
        "cpu": True,
        "mps": torch.backends.mps.is_available(),
        "cuda": (device.index or 0) < n_cuda,
    }
    if not there.get(device.type, False):
        raise Unsupported(f"this machine has no device {setting!r}; set ACTISCOPE_DEVICE=auto")
    return device


def choose_dtype(setting: str, device: Any) -> Any:
    """The `torch.dtype` of the model: the setting, or for `auto` the device's sound default."""
    import torch

    if setting != "auto":
        return getattr(torch, setting)
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def writing_threads(setting: int, n_params: int | None) -> int:
    """CPU threads for a model that writes token by token; a setting above 0 wins.

    One token at a time waits for the memory, not for the arithmetic: half of the cores read the
    weights as fast as all, and the others serve.
    """
    if setting > 0:
        return setting
    is_small = n_params is not None and n_params < _SMALL_MODEL_PARAMS
    return 1 if is_small else max(1, _cores() // 2)


def reading_threads(setting: int) -> int:
    """CPU threads for a whole sequence at once, which scales with the cores."""
    return setting if setting > 0 else _cores()


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1


def use_threads(n: int) -> None:
    """Compute with `n` CPU threads from here on, in the calling thread.

    OpenMP keeps the number per thread: it has to be set where the computation runs.
    """
    import torch

    if torch.get_num_threads() != n:
        torch.set_num_threads(n)


def memory(device: Any = None) -> dict[str, int]:
    """Bytes `total` and `free` of the machine, or of the device's own memory where it has one."""
    if device is not None and device.type == "cuda":
        import torch

        free, total = torch.cuda.mem_get_info(device)
        return {"total": total, "free": free}
    machine = psutil.virtual_memory()
    return {"total": machine.total, "free": machine.available}


@contextmanager
def memory_guard(what: str) -> Iterator[None]:
    """Turn running out of memory while doing `what` into `ResourceExhausted`."""
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        message = _let_go(error)
    except RuntimeError as error:  # the CPU allocator has no class of its own
        if "allocate memory" not in str(error) and "out of memory" not in str(error):
            raise
        message = _let_go(error)
    else:
        return
    release()
    raise ResourceExhausted(
        f"memory does not suffice {what}: use a shorter text, a smaller model or fewer SAEs",
        problem=message[:200],
    )


def release() -> None:
    """Give the memory of what nobody refers to any more back to the device."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _let_go(error: BaseException) -> str:
    """The error's message; what its frames held (tensors, a KV cache) is released."""
    traceback.clear_frames(error.__traceback__)
    return str(error)
