"""Loading a model folder: safetensors only, no remote code, one load at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.errors import ResourceExhausted, Unsupported
from services.lm.catalogue import ModelEntry
from services.lm.decode import cache_works
from services.lm.device import memory, memory_guard, reading_threads, writing_threads
from services.lm.hooks import FAMILIES
from services.lm.language_model import LanguageModel
from services.lm.tokens import special_ids
from services.lm.weight_files import revision

if TYPE_CHECKING:
    import torch

_SLOW_TOKENIZER = (
    "its tokenizer has no tokenizer.json and cannot be converted to one here: save it once with "
    "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) where its own library is"
)
# Overlapping `from_pretrained` calls leave transformers' weight tying switched off for the rest
# of the process, and each switches torch's default dtype while it runs: one at a time, always.
LOAD_LOCK = threading.Lock()


def load_model(
    entry: ModelEntry, device: torch.device, dtype: torch.dtype, threads: int = 0
) -> LanguageModel:
    """The model on `device` in `dtype`, ready to compute.

    Raises `Unsupported` for a folder that cannot be loaded completely, and `ResourceExhausted`
    when its weights do not fit into memory.
    """
    _refuse_too_large(entry, device, dtype)
    refuse_unknown(entry.info.model_id, entry.model_type)
    with LOAD_LOCK, memory_guard(f"to load {entry.info.model_id}"):
        # Hashing reads the file that loading reads anyway, and lets the interpreter go meanwhile.
        with ThreadPoolExecutor(1) as pool:
            digest = pool.submit(revision, entry.weight_files, hash_large=True)
            tokenizer, model = _from_pretrained(entry, dtype)
        model = model.to(device).eval().requires_grad_(False)
        if device.type == "cpu":
            _copy_from_file(model)
    return LanguageModel(
        info=replace(entry.info, revision=digest.result()),
        tokenizer=tokenizer,
        model=model,
        device=device,
        dtype=dtype,
        eos_ids=_eos_ids(model, tokenizer),
        special_ids=special_ids(tokenizer),
        threads=writing_threads(threads, entry.info.n_params),
        reading_threads=reading_threads(threads),
        has_cache=entry.model_type in FAMILIES or cache_works(model),
    )


def _copy_from_file(model: Any) -> None:
    """Replace weights that are a view of their file: one that is cut would end the process."""
    for _, tensor in _tensors(model):
        tensor.data = tensor.data.clone()


def weight_bytes(model: torch.nn.Module) -> int:
    """What the parameters and buffers of `model` take, tied ones once."""
    tensors = {id(t): t for _, t in _tensors(model)}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _refuse_too_large(entry: ModelEntry, device: torch.device, dtype: torch.dtype) -> None:
    needed = (entry.info.n_params or 0) * dtype.itemsize
    free = memory(device)["free"]
    if needed > free:
        raise ResourceExhausted(
            f"{entry.info.model_id} needs {needed / 1e9:.1f} GB for its weights in {dtype}, "
            f"{free / 1e9:.1f} GB are free on {device}: unload other models, set "
            "ACTISCOPE_DTYPE=bfloat16, or take a smaller model",
            needed_bytes=needed,
            free_bytes=free,
        )


def refuse_unknown(model_id: str, model_type: str) -> None:
    """Raise `Unsupported` for a family that transformers has no language model of."""
    from transformers import __version__
    from transformers.models.auto import modeling_auto

    if model_type not in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise _unloadable(
            model_id,
            f"transformers {__version__} knows no language model of the type "
            f"{model_type!r}: a newer version may, or it is not one that writes text",
        )


def _from_pretrained(entry: ModelEntry, dtype: torch.dtype) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    tokenizer = load_tokenizer(entry)
    with _typed(entry):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            entry.path,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    model, report = loaded
    _refuse_incomplete(entry, model, report)
    return tokenizer, model


def load_tokenizer(entry: ModelEntry) -> Any:
    """The model's tokenizer, without its weights.

    Raises:
        Unsupported: there is none that can be used.
    """
    from transformers import AutoTokenizer

    try:
        with _typed(entry):
            tokenizer = AutoTokenizer.from_pretrained(
                entry.path, local_files_only=True, trust_remote_code=False
            )
    except Unsupported:
        if (entry.path / "tokenizer.json").exists():
            raise
        raise _unloadable(entry.info.model_id, _SLOW_TOKENIZER) from None
    if not tokenizer.is_fast:
        raise _unloadable(entry.info.model_id, _SLOW_TOKENIZER)
    return tokenizer


@contextmanager
def _typed(entry: ModelEntry) -> Iterator[None]:
    """What transformers raises for a folder that it cannot load, as `Unsupported`."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise _unloadable(entry.info.model_id, str(error)) from error
    except SafetensorError as error:
        raise _unloadable(entry.info.model_id, str(error)) from error
    except RuntimeError as error:  # shapes that do not fit the configuration
        if "memory" in str(error):
            raise
        raise _unloadable(entry.info.model_id, str(error)) from error


def _refuse_incomplete(entry: ModelEntry, model: Any, report: Any) -> None:
    missing = sorted(report["missing_keys"]) + sorted(n for n, p in _tensors(model) if p.is_meta)
    if missing:
        # transformers would fill them with random numbers and go on
        raise _unloadable(
            entry.info.model_id, f"the weight files lack {len(missing)} tensors, as {missing[0]}"
        )


def _tensors(model: Any) -> list[tuple[str, Any]]:
    return [*model.named_parameters(), *model.named_buffers()]


def _unloadable(model_id: str, problem: str) -> Unsupported:
    problem = problem.strip().partition("\n")[0][:300]
    return Unsupported(
        f"model {model_id} cannot be loaded: {problem}",
        model_id=model_id,
        problem=problem,
    )


def _eos_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    sources = (
        getattr(model.generation_config, "eos_token_id", None),
        getattr(model.config, "eos_token_id", None),
        tokenizer.eos_token_id,
    )
    ids: set[Any] = set()
    for source in sources:
        ids.update(source if isinstance(source, list) else [source])
    return frozenset(id for id in ids if isinstance(id, int))
