"""What the names in sae-lens' list say: layer, hook, width, L0.

The list itself has none of them but the L0 of most; ids, paths and releases are named by habit.
What no name says is None or "".
"""

from __future__ import annotations

import functools
import re

_LAYERS = (
    re.compile(r"blocks\.(\d+)\."),
    re.compile(r"(?:^|[_/.-])layer[_-]?(\d+)(?!\d)"),
    re.compile(r"(?:^|/)[lL](\d+)(?:[a-zA-Z]{1,2})?(?=_|$)"),  # l16r_8x
    re.compile(r"(?:^|/)(\d+)-"),  # 10-res_sll-ajt
)
_HOOK = re.compile(
    r"hook_(resid_pre|resid_mid|resid_post|mlp_in|mlp_out|attn_out|attn_in|z|q|k|v|embed)(?![a-z])"
)
_HOOK_WORDS = (  # the first that occurs decides
    (re.compile(r"crosscoder"), "crosscoder"),
    (re.compile(r"transcoder|(?:^|[-_/.])(?:clt|tc)(?:$|[-_/.])"), "transcoder"),
    (re.compile(r"(?:^|/)embedding(?:/|$)"), "embed"),
    (re.compile(r"resid[_-]?pre"), "resid_pre"),
    (re.compile(r"resid[_-]?mid"), "resid_mid"),
    (re.compile(r"resid[_-]?post"), "resid_post"),
    (re.compile(r"mlp[_-]?out"), "mlp_out"),
    (re.compile(r"attn[_-]?out"), "attn_out"),
    (re.compile(r"(?:^|/)l\d+r(?:_|$)", re.I), "resid_post"),
    (re.compile(r"(?:^|/)l\d+m(?:_|$)", re.I), "mlp_out"),
    (re.compile(r"(?:^|/)l\d+a(?:_|$)", re.I), "attn_out"),
    (re.compile(r"(?:^|[-_/.])(?:res|resid)(?:$|[-_/.])", re.I), "resid_post"),
    (re.compile(r"(?:^|[-_/.])mlp(?:$|[-_/.])"), "mlp_out"),
    (re.compile(r"(?:^|[-_/.])attn?(?:$|[-_/.])"), "attn_out"),
)
_THOUSANDS = (
    re.compile(r"width[_-](\d+)([km])", re.I),
    re.compile(r"(?:^|[-_])w-?(\d+)(k)(?![a-z0-9])", re.I),
    re.compile(r"(?:^|[-_])v5[-_](\d+)(k)(?![a-z0-9])", re.I),
)
_POWER = re.compile(r"width-2pow(\d{1,2})(?!\d)")
_PLAIN = re.compile(r"(?:hook_[a-z_]+_|_ds|[a-z](?<!step)_)(\d{3,6})(?=$|[_:])")
_NEURONPEDIA_WIDTH = re.compile(r"[-_](\d+)(k)(?![a-z0-9])")
_L0 = re.compile(r"(?:average_)?l0_(\d+(?:\.\d+)?)(?![a-z0-9])")
_POWERS = {2**n // 1000: 2**n for n in range(10, 20)}  # 16k is 16,384, 131k is 131,072


@functools.lru_cache(4096)
def layer_in(id: str, path: str) -> int | None:
    """The layer that the id names, or else the path."""
    for text in (id, path):
        for pattern in _LAYERS:
            if match := pattern.search(text):
                return int(match[1])
    return None


def hook_in(id: str, path: str, release: str, repo_id: str, neuronpedia_id: str) -> str:
    """Where it reads, as TransformerLens calls it without `hook_`; "" where no name tells."""
    is_transcoder = "transcoder" in release or "clt" in release
    match = _HOOK.search(id)
    if match and not is_transcoder:
        return match[1]
    named = (id, path, release, repo_id, neuronpedia_id)
    texts = (release, path) if is_transcoder else named
    for text in texts:
        if found := _hook_word(text):
            return found
    return ""


def width_in(id: str, path: str, release: str, repo_id: str, neuronpedia_id: str) -> int | None:
    """The number of features."""
    for text in (id, path, release, repo_id):
        if (width := _width(text)) is not None:
            return width
    match = _NEURONPEDIA_WIDTH.search(neuronpedia_id)
    return thousands(match[1], match[2]) if match else None


def l0_in(id: str, path: str) -> float | None:
    """The L0 that the id or the path states."""
    match = _L0.search(id) or _L0.search(path)
    return float(match[1]) if match else None


def thousands(number: str, unit: str) -> int:
    """The features that "16k" or "1m" stand for: powers of two where one is meant."""
    count = int(number)
    if unit.lower() == "m":
        return count * 2**20
    return _POWERS.get(count, count * 1024)


@functools.lru_cache(4096)
def _hook_word(text: str) -> str:
    return next((hook for pattern, hook in _HOOK_WORDS if pattern.search(text)), "")


@functools.lru_cache(4096)
def _width(text: str) -> int | None:
    for pattern in _THOUSANDS:
        if match := pattern.search(text):
            return thousands(match[1], match[2])
    if match := _POWER.search(text):
        return 1 << int(match[1])
    match = _PLAIN.search(text)
    return int(match[1]) if match else None
