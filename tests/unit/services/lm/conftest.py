"""A tiny model, loaded once the way the product loads models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from services.lm.catalogue import ModelCatalogue
from services.lm.language_model import LanguageModel
from services.lm.loader import load_model
from tests import tiny


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the model `tiny`."""
    root = tmp_path_factory.mktemp("home")
    tiny.save_model(root, "tiny")
    return root


@pytest.fixture(scope="session")
def lm(tiny_root: Path) -> LanguageModel:
    """The model `tiny` on the CPU in float32."""
    entry = ModelCatalogue([tiny_root]).get("tiny")
    return load_model(entry, torch.device("cpu"), torch.float32)


@pytest.fixture
def plain() -> Any:
    """Log-probabilities of a plain full forward pass: [n, n_vocab] for n token ids."""

    def logprobs(model: Any, ids: list[int]) -> torch.Tensor:
        with torch.no_grad():
            return torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0].float(), -1)

    return logprobs
