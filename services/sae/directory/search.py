"""Finding entries: every word must match; the best come first, within milliseconds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.sae.directory.query import HOOKS, Term, normal, terms_of
from services.types import CatalogueEntry

Mask = NDArray[np.bool_]
_UNKNOWN = -1
_ALIASES = {"gpt2": "gpt2-small"}  # TransformerLens' name: the hub's plain gpt2 is the small one
_HOOK_ORDER = ("resid_post", "resid_pre", "resid_mid", "mlp_out", "z", "attn_out", "transcoder")


class Index:
    """The entries in the order in which they are best shown, and columns to compare with."""

    def __init__(self, entries: Sequence[CatalogueEntry]) -> None:
        self.entries = tuple(sorted(entries, key=_rank))
        self._texts = [_text(entry) for entry in self.entries]
        self._models = [_model_key(entry.model) for entry in self.entries]
        self._layer = np.array([_or_unknown(e.layer) for e in self.entries], np.int32)
        self._width = np.array([_or_unknown(e.width) for e in self.entries], np.int64)
        self._l0 = np.array([np.nan if e.l0 is None else e.l0 for e in self.entries], np.float64)
        self._hook = np.array([e.hook for e in self.entries], np.str_)
        self._release = np.array([normal(e.release) for e in self.entries], np.str_)

    def find(self, text: str) -> NDArray[np.intp]:
        """The positions in `entries` that match all words, best first."""
        terms = terms_of(text)
        mask = np.ones(len(self.entries), np.bool_)
        penalty = np.zeros(len(self.entries), np.float64)
        for term in terms:
            mask &= self._matches(term)
            penalty += self._distance(term)
        found = np.flatnonzero(mask)
        return found[np.argsort(penalty[found], kind="stable")]

    def suggestion(self, text: str) -> str | None:
        """The search with each word that nothing matches replaced by the nearest known one."""
        known = self._vocabulary()
        replaced = text
        for term in terms_of(text):
            if term.kind != "text" or self._matches(term).any():
                continue
            near = difflib.get_close_matches(term.text, known, n=1, cutoff=0.7)
            near = near or difflib.get_close_matches(term.text, known, n=1, cutoff=0.55)
            if not near:
                return None
            pattern = re.compile(re.escape(term.text).replace(r"\-", "[-_]"), re.IGNORECASE)
            replaced = pattern.sub(near[0], replaced, count=1)
        return replaced if replaced != text and len(self.find(replaced)) else None

    def _matches(self, term: Term) -> Mask:
        if term.kind == "layer":
            # "l0" alone: the first layer, or the beginning of "l0 50"
            started = ~np.isnan(self._l0) if term.text == "l0" else False
            return (self._layer == term.value) | started
        if term.kind == "l0":
            return self._near_l0(term)
        if term.kind == "hook":
            return np.isin(self._hook, HOOKS[term.text])
        if term.kind == "width":
            unknown = (self._width == _UNKNOWN) & self._holds(term.text)
            return (self._width == term.value) | unknown
        return self._holds(term.text)

    def _near_l0(self, term: Term) -> Mask:
        with np.errstate(invalid="ignore"):
            if term.sign in ("<", "<="):
                return self._l0 <= term.value
            if term.sign in (">", ">="):
                return self._l0 >= term.value
            return np.abs(self._l0 - term.value) <= max(1.0, 0.1 * term.value)

    def _holds(self, word: str) -> Mask:
        found = np.fromiter((word in text for text in self._texts), np.bool_, len(self._texts))
        model = _model_key(word)
        if not found.any() or "/" in word:
            known = (model == m for m in self._models)
            found |= np.fromiter(known, np.bool_, len(self._models))
        return found

    def _distance(self, term: Term) -> NDArray[np.float64] | float:
        """How far an entry that matches is from what was meant; small steps for fine ones."""
        if term.kind == "l0":
            return 1e-6 * np.nan_to_num(np.abs(self._l0 - term.value), nan=1e6)
        if term.kind == "layer" and term.text == "l0":
            return np.where(self._layer == 0, 0.0, 1.0)
        if term.kind == "width":
            return np.where(self._width == term.value, 0.0, 0.5)
        if term.kind != "text":
            return 0.0
        model = _model_key(term.text)
        exact = np.fromiter((model == m for m in self._models), np.bool_, len(self._models))
        return np.where(exact | (self._release == term.text), 0.0, 1.0)

    def _vocabulary(self) -> list[str]:
        words: set[str] = set(HOOKS)
        for entry in {(e.model, e.release): e for e in self.entries}.values():
            release, model = normal(entry.release), normal(entry.model)
            words |= {release, model, model.rsplit("/", 1)[-1]}
            words |= {part for part in re.split(r"[-/]", f"{release}/{model}") if len(part) > 3}
        return sorted(words)


def _text(entry: CatalogueEntry) -> str:
    parts = (entry.model, entry.release, entry.sae_id, entry.repo_id, entry.path, entry.hook)
    return normal("\n".join((*parts, entry.neuronpedia_id or "")))


def _model_key(name: str) -> str:
    """A model's name without owner and version, to compare names given in different places."""
    name = normal(name).rsplit("/", 1)[-1].removeprefix("meta-")
    name = re.sub(r"(?:-hf|-v\d(?:\.\d)?)$", "", name)
    return _ALIASES.get(name, name)


def _rank(entry: CatalogueEntry) -> tuple[object, ...]:
    """Usable ones, then those meant to be used, then by model, hook, layer, width and L0."""
    hook = _HOOK_ORDER.index(entry.hook) if entry.hook in _HOOK_ORDER else len(_HOOK_ORDER)
    return (
        entry.problem is not None,
        "canonical" not in entry.release,
        "_step_" in entry.sae_id,
        entry.neuronpedia_id is None,
        entry.release.endswith("-all"),
        _natural(entry.model),
        hook,
        _or_unknown(entry.layer),
        _or_unknown(entry.width),
        -1.0 if entry.l0 is None else entry.l0,
        entry.release,
        entry.sae_id,
    )


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    parts = re.split(r"(\d+)", text.lower())
    return tuple((int(p), "") if p.isdigit() else (_UNKNOWN, p) for p in parts)


def _or_unknown(value: int | None) -> int:
    return _UNKNOWN if value is None else value
