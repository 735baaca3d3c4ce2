"""Part of the programs beside it: the demo model and its SAE as other tools want them.

Run with the Python of the anchors' environment, not with that of the product.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sae_lens import SAE
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


def task() -> dict[str, Any]:
    """What the benchmark asks for: paths of model, SAE, tokens and output, and sizes."""
    return json.loads(sys.argv[1])


class Clock:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def report(self, n_tokens: int, **facts: Any) -> None:
        """One line of JSON for the benchmark, the last on the standard output."""
        seconds = time.perf_counter() - self._began[0]
        cpu_seconds = time.process_time() - self._began[1]
        found = {"n_tokens": n_tokens, "seconds": seconds, "cpu_seconds": cpu_seconds, **facts}
        print("\n" + json.dumps(found), flush=True)


def tokens_of(asked: dict[str, Any]) -> torch.Tensor:
    """[n, context] token ids."""
    return torch.from_numpy(np.load(asked["tokens"])).long()


def language_model(folder: str) -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(folder, torch_dtype=torch.float32)


def tokenizer(folder: str) -> PreTrainedTokenizerFast:
    """By its file alone: the tools' older transformers cannot read the description beside it.
    What else is given makes TransformerLens take it as it is.
    """
    described = json.loads((Path(folder) / "tokenizer_config.json").read_text())
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    special = {name: described[name] for name in names if described.get(name)}
    file = str(Path(folder) / "tokenizer.json")
    return PreTrainedTokenizerFast(
        tokenizer_file=file, name_or_path=folder, add_bos_token=True, **special
    )


def sparse_autoencoder(folder: str) -> Any:
    return SAE.load_from_disk(folder, device="cpu", dtype="float32")
