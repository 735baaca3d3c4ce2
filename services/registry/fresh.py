"""Whether a preflight still speaks about the files that are there.

What it stands for are the weights and configurations that it measured, and the model's tokenizer;
the report keeps a fingerprint of each. Small files count by their content. Large weights, which
are not hashed for a listing, count by size and time of writing: whatever the time has become,
another one is a change.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from services.lm.catalogue import ModelEntry
from services.sae.catalogue import SaeEntry
from services.sae.config import CONFIG, WEIGHTS
from services.types import PreflightReport

_SAE, _MODEL = "sae_files_sha256", "model_files_sha256"  # among the report's conditions
_OF_A_MODEL = (
    "config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
)
_UNHASHED = "unhashed-"


def sae_files(entry: SaeEntry) -> str:
    """What an SAE's weights and configuration are, as far as a preflight depends on them."""
    weights = (entry.path / WEIGHTS,)
    return _fingerprint(entry.info.revision, weights, (entry.path / CONFIG,))


def model_files(entry: ModelEntry) -> str:
    """What a model's weights, configuration and tokenizer are, likewise."""
    small = (entry.path / name for name in _OF_A_MODEL)
    return _fingerprint(entry.info.revision, entry.weight_files, small)


def stamped(report: PreflightReport, sae: str, model: str) -> PreflightReport:
    """The report, with what the files were when it was begun."""
    return replace(report, conditions={**report.conditions, _SAE: sae, _MODEL: model})


def is_stale(report: PreflightReport, sae: SaeEntry | None, model: ModelEntry | None) -> bool:
    """Whether the SAE or the model has changed since it was measured; None is not looked at."""
    if sae is not None and _SAE in report.conditions:
        if report.conditions[_SAE] != sae_files(sae):
            return True
    elif sae is not None and _changed(report, report.sae_revision, sae.info.revision):
        return True
    if model is None:
        return False
    if _MODEL in report.conditions:
        return report.conditions[_MODEL] != model_files(model)
    return _changed(report, report.model_revision, model.info.revision)


def _changed(report: PreflightReport, measured: str, present: str) -> bool:
    """Of reports from before there were fingerprints: by the hash of the weights, or, where they
    are too large for a listing, by whether they are newer.
    """
    if not present.startswith(_UNHASHED) or measured.startswith(_UNHASHED):
        return measured != present
    written_at = present.rsplit("-", 1)[-1]
    return not written_at.isdigit() or int(written_at) > report.created_at.timestamp()


def _fingerprint(revision: str, weights: Sequence[Path], small: Iterable[Path]) -> str:
    """Of files as they are now; those that are missing or gone count as such."""
    parts = [revision]
    if revision.startswith(_UNHASHED):
        parts = [f"{path.name} {_stamp(path)[:2]}" for path in weights]
    parts += [f"{path.name} {_content(path)}" for path in small]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int]:
    """Size, time of writing, and which file it is; -1 where there is no file to be read."""
    try:
        found = path.stat()
    except OSError:
        return (-1, 0, 0)
    size = found.st_size if stat.S_ISREG(found.st_mode) else -1
    return size, found.st_mtime_ns, found.st_ino


def _content(path: Path) -> str:
    stamp = _stamp(path)
    return "none" if stamp[0] < 0 else _sha256(path, stamp)


@lru_cache(maxsize=4096)
def _sha256(path: Path, stamp: tuple[int, int, int]) -> str:
    """Hash of the file as it was at `stamp`, which is part of the cache's key."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read: {error.errno}"
