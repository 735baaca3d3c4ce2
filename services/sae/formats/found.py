"""What looking at files gives: the SAEs in them, complete enough to be converted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.types import Candidate


@dataclass(frozen=True, slots=True)
class Hints:
    """What the place says that the files may not."""

    origin: str = ""  # repository id and path within it, or a folder: layer, width, hook, model
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Of a catalogue: norm_scaling_factor, neuronpedia_id, model, l0, config_overrides."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done to a tensor between reading and writing.

    transpose · exp · scale by `value` · sum over axis `value` · spread one number over all
    features · norm: times the decoder rows' lengths to the power of `value` · above: refused
    unless greater than `value`
    """

    kind: str
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """One tensor to write: where it is read, what is done to it."""

    shape: tuple[int, ...]  # as written
    dtype: str  # as written, in safetensors' words
    file: Path | None = None
    name: str = ""  # in `file`; without one, all values are `fill`
    fill: float = 0.0
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundSae:
    """An SAE found in files; nothing but headers and configurations was read yet."""

    path: str  # folder or file below what was looked at; "" for itself
    format: str
    files: tuple[Path, ...]
    config: Mapping[str, Any]  # the cfg.json to write, complete but for what it `needs`
    parts: Mapping[str, Part]
    published: Mapping[str, float] = field(default_factory=dict)
    needs: tuple[str, ...] = ()  # model_id, hook_name: what the user must say
    ones: tuple[tuple[Path, str], ...] = ()  # tensors that are left out, and must be all ones

    def candidate(self) -> Candidate:
        """As the screens show it."""
        meta = self.config["metadata"]
        return Candidate(
            path=self.path,
            format=self.format,
            size_bytes=sum(file.stat().st_size for file in self.files),
            model_name=meta.get("model_name") or "",
            hook_name=meta.get("hook_name") or "",
            architecture=self.config["architecture"],
            d_in=self.config["d_in"],
            d_sae=self.config["d_sae"],
            needs=self.needs,
        )


@dataclass(frozen=True, slots=True)
class Looked:
    """The SAEs found in a place, and what looked like one but cannot be used."""

    found: tuple[FoundSae, ...]
    problems: tuple[Candidate, ...] = ()
