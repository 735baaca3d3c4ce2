"""Features of a block of tokens with a large SAE, against the encoder's matrix product alone.

512 tokens at d_in 4096, d_sae 32,768, JumpReLU, about 44 features per token, random weights in
float32. The matrix product is the limit: nobody encodes in less. sae-lens' `encode` followed by
`topk` on the same file is what one would write without this product.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.result import Result, Samples, interleaved, ratio

if TYPE_CHECKING:
    from torch import Tensor

_TOKENS, _TOP_K = 512, 32
_THRESHOLD = 3.0  # of standard normal pre-activations: one in 741 fires


def measure(quick: bool) -> list[Result]:
    """Time and peak memory of the three."""
    d_in, d_sae, repetitions = (256, 2048, 2) if quick else (4096, 32_768, 9)
    with tempfile.TemporaryDirectory() as home:
        sides = _sides(Path(home), d_in, d_sae)
        for warm_up in sides.values():
            warm_up()
        samples = interleaved(
            {name: lambda side=side: _seconds(side) for name, side in sides.items()}, repetitions
        )
        peaks = {name: _peak_mib(side) for name, side in sides.items()}
    return [
        _result("the matrix product", "ours", "product", samples, peaks, goal=None),
        _result("sae-lens' encode and topk", "ours", "sae-lens", samples, peaks, goal=1.0),
    ]


def _result(
    what: str, ours: str, anchor: str, samples: Samples, peaks: dict[str, float], goal: float | None
) -> Result:
    value, spread = ratio(samples[ours], samples[anchor])
    return Result(
        name=f"encode and top {_TOP_K} of {_TOKENS} tokens ÷ {what}",
        value=value,
        unit="×",
        anchor=f"{what}: {1000 * statistics.median(samples[anchor]):.0f} ms",
        repetitions=len(samples[ours]),
        spread=spread,
        goal=goal,
        details={
            "median": {f"{n}, ms": 1000 * statistics.median(v) for n, v in samples.items()},
            "peak above the weights": {f"{n}, MiB": peak for n, peak in peaks.items()},
        },
    )


def _sides(home: Path, d_in: int, d_sae: int) -> dict[str, Callable[[], Any]]:
    import torch
    from sae_lens import SAE

    from services.lm.device import reading_threads
    from services.sae.catalogue import SaeCatalogue
    from services.sae.encode import encode_features
    from services.sae.loader import load_sae

    folder = _made_sae(home, d_in, d_sae)
    torch.set_num_threads(reading_threads(0))
    ours = load_sae(SaeCatalogue([home]).get(folder.name), torch.device("cpu"))
    theirs = SAE.load_from_disk(folder, dtype="float32")
    x = torch.randn(_TOKENS, d_in, generator=torch.Generator().manual_seed(1))
    counted = [True] * _TOKENS

    @torch.inference_mode()
    def product() -> Tensor:
        return x @ theirs.W_enc

    @torch.inference_mode()
    def by_sae_lens() -> Any:
        return theirs.encode(x).topk(_TOP_K)

    _require_equal(encode_features(ours, x, _TOP_K, counted), by_sae_lens())
    return {
        "ours": lambda: encode_features(ours, x, _TOP_K, counted),
        "product": product,
        "sae-lens": by_sae_lens,
    }


def _require_equal(ours: Any, theirs: Any) -> None:
    """Comparing times means nothing when the results differ."""
    import numpy as np

    if not np.allclose(ours.activations[:, :_TOP_K], theirs.values.numpy(), atol=1e-3):
        raise RuntimeError("ours and sae-lens disagree")


def _made_sae(home: Path, d_in: int, d_sae: int) -> Path:
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(0)
    folder = home / "saes" / "large"
    folder.mkdir(parents=True)
    W_enc = torch.randn(d_in, d_sae, generator=generator) / d_in**0.5
    tensors = {
        "W_enc": W_enc,
        "b_enc": torch.zeros(d_sae),
        "W_dec": W_enc.T.contiguous(),
        "b_dec": torch.zeros(d_in),
        "threshold": torch.full((d_sae,), _THRESHOLD),
    }
    save_file(tensors, folder / "sae_weights.safetensors")
    config = {
        "architecture": "jumprelu",
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"model_name": "none", "hook_name": "blocks.0.hook_resid_post"},
    }
    (folder / "cfg.json").write_text(json.dumps(config))
    return folder


def _seconds(side: Callable[[], Any]) -> float:
    started = time.perf_counter()
    side()
    return time.perf_counter() - started


def _peak_mib(side: Callable[[], Any]) -> float:
    """Most memory that the call holds beyond what the process held before; NaN where Linux's
    files are missing.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = _memory_kib("VmRSS")
        side()
        return (_memory_kib("VmHWM") - before) / 1024
    except OSError:
        return float("nan")


def _memory_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
