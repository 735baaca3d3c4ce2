"""Large stores: 10^7 and 10^8 activations really built, 10^10 on paper.

What is built is as in `building`. The figure on paper is arithmetic with what the largest store
that was built measured; every step is among the details.
"""

from __future__ import annotations

from benchmarks.building import Built, in_own_process
from benchmarks.made_activations import D_SAE
from benchmarks.result import Result
from services.store.spec import MAX_TOKENS, Layout

_EXPONENTS = (7, 8)
_PAPER = 10**10
_PER_TOKEN = 32.649  # activations, as made


def measure(quick: bool) -> list[Result]:
    """Build them, then calculate."""
    exponents = (5, 6) if quick else _EXPONENTS
    built = {exponent: in_own_process(round(10**exponent / _PER_TOKEN)) for exponent in exponents}
    results = [_really(exponent, found) for exponent, found in built.items()]
    return [*results, _on_paper(built[exponents[-1]])]


def _really(exponent: int, built: Built) -> Result:
    if built.problems:
        raise RuntimeError(f"verify found {built.problems} problems in what was just built")
    return Result(
        name=f"a store of 10^{exponent} activations, built",
        value=built.seconds,
        unit="s",
        anchor=f"writing as many bytes, fsync included: {built.write_seconds:.1f} s",
        repetitions=1,
        spread=(built.seconds, built.seconds),
        details={
            "activations": built.nnz,
            "tokens": built.n_tokens,
            "processor time, s": built.cpu_seconds,
            "MB on disk": built.bytes_all / 1e6,
            "peak memory above the idle process, MiB": built.peak_mib,
            f"one feature of {built.n_tokens // 4:,} activations read and summed, ms": (
                built.feature_ms
            ),
            "verify, every byte read and hashed, s": built.verify_seconds,
            "problems that verify found": built.problems,
        },
    )


def _on_paper(built: Built) -> Result:
    layout = Layout()
    tokens = round(_PAPER * built.n_tokens / built.nnz)
    parts, features = (n / built.nnz for n in (built.bytes_parts, built.bytes_features))
    total = _PAPER * (parts + features) + built.bytes_statistics
    segments, blocks = _PAPER / layout.segment_nnz, _PAPER / layout.block_nnz
    return Result(
        name="a store of 10^10 activations, on paper",
        value=total / 1e9,
        unit="GB",
        anchor="not built: arithmetic with the largest store that was",
        repetitions=1,
        spread=(total / 1e9, total / 1e9),
        details={
            "tokens": f"10^10 ÷ {built.nnz / built.n_tokens:.2f} per token = {tokens:,}, "
            f"{tokens / MAX_TOKENS:.0%} of what a store holds",
            "on disk": f"10^10 × ({parts:.3f} token-major + {features:.3f} feature-major) bytes "
            f"+ {D_SAE:,} features × {built.bytes_statistics / D_SAE:.0f} bytes of statistics",
            "on disk while it is compacted, GB": (total + _PAPER * features) / 1e9,
            "hours": f"10^10 × {1e9 * built.seconds / built.nnz:.0f} ns = "
            f"{_PAPER * built.seconds / built.nnz / 3600:.1f}; processor time "
            f"{_PAPER * built.cpu_seconds / built.nnz / 3600:.1f}",
            "peak memory": f"{built.peak_mib:.0f} MiB as measured: bounded by part, segment and "
            f"block, and {8 * (D_SAE + 1) / 1024:.0f} KiB of offsets for each of "
            f"{segments:.0f} segments, mapped",
            "what is not proportional": f"{blocks:,.0f} blocks × {segments:.0f} segments = "
            f"{blocks * segments / 1e6:.1f} M slices; built here: "
            f"{_slices(built, layout):,.0f}",
        },
    )


def _slices(built: Built, layout: Layout) -> float:
    return built.nnz / layout.block_nnz * max(built.nnz / layout.segment_nnz, 1)
