"""A Python environment for the other tools, apart from the product's, made once and kept."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.result import Skipped

SAEDASHBOARD, DELPHI = "0.8.0", "0.1.3"

# What Delphi's cache imports, without what it needs for its explanations (vllm, CUDA).
_DELPHI_NEEDS = (
    "orjson",
    "blobfile",
    "faiss-cpu",
    "aiofiles",
    "asyncer",
    "scikit-learn",
    "threadpoolctl",
)
_TIMEOUT_S = 1200


def python() -> Path:
    """The environment's Python.

    Raises:
        Skipped: it cannot be made here: without a package index, for instance.
    """
    cache = Path.home() / ".cache" / "actiscope-benchmarks"
    folder = cache / f"saedashboard-{SAEDASHBOARD}-delphi-{DELPHI}"
    found, made = folder / "bin" / "python", folder / "made"
    if not made.exists():
        try:
            _make(folder, found)
        except (OSError, subprocess.SubprocessError) as error:
            raise Skipped(f"SAEDashboard and Delphi cannot be installed: {error}") from None
        made.touch()
    return found


def _make(folder: Path, found: Path) -> None:
    import torch

    venv.create(folder, with_pip=True, clear=True)
    _pip(found, "install", f"torch=={torch.__version__}", f"sae-dashboard=={SAEDASHBOARD}")
    # torchvision of another build than torch stops transformers from importing; nothing needs it
    _pip(found, "uninstall", "-y", "torchvision", "torchaudio")
    # SAEDashboard wants numpy 1, and the newest pyarrow numpy 2
    _pip(found, "install", "pyarrow<22", "numpy<2", *_DELPHI_NEEDS)
    _pip(found, "install", "--no-deps", f"eai-delphi=={DELPHI}", "sentence-transformers")


def _pip(found: Path, *arguments: str) -> None:
    command = [str(found), "-m", "pip", *arguments, "--quiet"]
    subprocess.run(command, check=True, timeout=_TIMEOUT_S, stdout=sys.stderr)
