"""Building a store: time per token, bytes per activation, and memory as the corpus grows.

What is built, and what counts, is in `building`.
"""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.building import Built, in_own_process
from benchmarks.made_activations import D_SAE
from benchmarks.result import Result

_TIMES = (1, 3, 10)
_GOAL_US = 4.0  # per token: 250,000 tokens per second
_GOAL_GROWTH = 1.1


def measure(quick: bool) -> list[Result]:
    """The same at 1, 3 and 10 times the tokens."""
    base = 20_000 if quick else 800_000  # a segment is transposed while a part fills
    built = [in_own_process(times * base) for times in _TIMES]
    last = built[-1]
    return [_speed(built), *_sizes(built[0], last), _memory(built)]


def _speed(built: list[Built]) -> Result:
    last = built[-1]
    per_token = [1e6 * b.seconds / b.n_tokens for b in built]
    return Result(
        name=f"building a store of {last.n_tokens / 1e6:.1f} M tokens, statistics included",
        value=per_token[-1],
        unit="µs/token",
        anchor=f"writing as many bytes, fsync included: {last.write_seconds:.1f} s",
        repetitions=len(built),
        spread=(min(per_token), max(per_token)),
        goal=_GOAL_US,
        details={
            "tokens per second": last.n_tokens / last.seconds,
            "tokens per second of processor time": last.n_tokens / last.cpu_seconds,
            "seconds ÷ writing alone": last.seconds / last.write_seconds,
            "activations per token": last.nnz / last.n_tokens,
        },
    )


def _sizes(first: Built, last: Built) -> Iterable[Result]:
    sizes = (
        ("feature-major", last.bytes_features / last.nnz, 6.0),
        ("token-major", last.bytes_parts / last.nnz, 4.5),
        ("as Parquet export", (first.bytes_parquet or 0) / first.nnz, 3.0),
    )
    for name, value, goal in sizes:
        yield Result(
            name=f"bytes per activation, {name}",
            value=value,
            unit="bytes",
            anchor="Delphi's cache: 8 to 14 for one direction",
            repetitions=1,
            spread=(value, value),
            goal=goal,
            details={
                "exactly": f"{value:.5f}",
                "statistics, bytes per feature": last.bytes_statistics / D_SAE,
            },
        )


def _memory(built: list[Built]) -> Result:
    peaks = [b.peak_mib for b in built]
    growth = max(peaks) / peaks[0]
    return Result(
        name="peak memory at 10 times the tokens ÷ at once",
        value=peaks[-1] / peaks[0],
        unit="×",
        anchor=f"{built[0].n_tokens:,} tokens: {peaks[0]:.0f} MiB above the idle process",
        repetitions=1,
        spread=(min(peaks) / peaks[0], growth),
        goal=_GOAL_GROWTH,
        details={f"{b.n_tokens:,} tokens, MiB": b.peak_mib for b in built},
    )
