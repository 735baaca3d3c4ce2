"""SAEs as folders on disk, opened the way the product opens them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from services.sae.catalogue import SaeCatalogue
from services.sae.loader import Sae, load_sae
from tests import tiny


@pytest.fixture
def open_sae(tmp_path: Path) -> Callable[..., Sae]:
    """Save an SAE with `tiny.save_sae`'s arguments, load it through the catalogue."""

    def opened(*args: Any, dtype: torch.dtype = torch.float32, **options: Any) -> Sae:
        tiny.save_sae(tmp_path, *args, **options)
        (entry,) = SaeCatalogue([tmp_path]).list()
        return load_sae(entry, torch.device("cpu"), dtype)

    return opened
