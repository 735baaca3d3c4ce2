"""The list of pretrained SAEs that the installed sae-lens knows."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from services.errors import NotFound
from services.sae.directory.reading import Listed, list_file, read_list
from services.sae.directory.search import Index
from services.types import CatalogueEntry, CataloguePage

_READING = threading.Lock()


class Directory:
    """Read at the first question, then kept; needs no network."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    def search(self, text: str, *, limit: int = 50, offset: int = 0) -> CataloguePage:
        """The entries that match every word, in any order: best first, `limit` from `offset` on.

        Understood are models with and without owner, releases and ids, `layer 12`, `l12`, `16k`,
        `l0 50`, `l0<100`, and resid, mlp, attn, transcoder. No words: all entries.
        """
        index = self._index
        found = index.find(text)
        items = tuple(index.entries[at] for at in found[offset : offset + limit])
        suggestion = None if len(found) else index.suggestion(text)
        return CataloguePage(items, len(found), suggestion)

    def get(self, release: str, sae_id: str) -> CatalogueEntry:
        """The named entry; `NotFound` suggests the nearest."""
        return self._listed(release, sae_id).entry

    def overrides(self, release: str, sae_id: str) -> Mapping[str, Any]:
        """What the list says of the SAE beyond its files, for `services.sae.formats.Hints`.

        model, neuronpedia_id, norm_scaling_factor, l0, explained_variance, config_overrides: as
        far as they are known.
        """
        listed = self._listed(release, sae_id)
        entry = listed.entry
        said = {
            "model": entry.model,
            "neuronpedia_id": entry.neuronpedia_id,
            "norm_scaling_factor": listed.norm_scaling_factor,
            "l0": entry.l0,
            "explained_variance": entry.explained_variance,
            "config_overrides": dict(listed.config_overrides),
        }
        return {name: value for name, value in said.items() if value not in (None, "", {})}

    def _listed(self, release: str, sae_id: str) -> Listed:
        saes = self._by_release.get(release)
        if saes is None:
            raise NotFound(
                f"sae-lens' list has no release {release[:100]!r}; "
                f"there is: {_nearest(release, self._by_release)}",
                release=release[:200],
            )
        if sae_id not in saes:
            raise NotFound(
                f"the release {release} has no SAE {sae_id[:100]!r}; "
                f"there is: {_nearest(sae_id, saes)}",
                release=release,
                sae_id=sae_id[:200],
            )
        return saes[sae_id]

    @cached_property
    def _by_release(self) -> Mapping[str, Mapping[str, Listed]]:
        by_release: dict[str, dict[str, Listed]] = {}
        for listed in self._all:
            by_release.setdefault(listed.entry.release, {})[listed.entry.sae_id] = listed
        return by_release

    @property
    def _all(self) -> tuple[Listed, ...]:
        with _READING:  # of two that ask at once, one reads
            return self._read

    @cached_property
    def _read(self) -> tuple[Listed, ...]:
        return read_list(self._file or list_file())

    @cached_property
    def _index(self) -> Index:
        return Index([listed.entry for listed in self._all])


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
    return ", ".join(near or list(known)[:5])
