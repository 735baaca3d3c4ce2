"""What the words of a search ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.sae.directory.names import thousands

_LAYER = re.compile(r"(?:layer|l)[-.]?(\d{1,3})")
_WIDTH = re.compile(r"(?:width|w)?-?(\d{1,4})(k|m)")
_L0 = re.compile(r"l0[-=:]?(<=|>=|<|>|~)?[-=]?(\d{1,5}(?:\.\d+)?)")
_NUMBER = re.compile(r"\d{1,6}(?:\.\d+)?")
_BOUND = re.compile(r"(<=|>=|<|>|~|=)?(\d{1,5}(?:\.\d+)?)")
HOOKS: dict[str, tuple[str, ...]] = {  # word: the hooks it stands for
    "res": ("resid_pre", "resid_mid", "resid_post"),
    "resid": ("resid_pre", "resid_mid", "resid_post"),
    "residual": ("resid_pre", "resid_mid", "resid_post"),
    "resid-pre": ("resid_pre",),
    "resid-mid": ("resid_mid",),
    "resid-post": ("resid_post",),
    "hook-resid-pre": ("resid_pre",),
    "hook-resid-mid": ("resid_mid",),
    "hook-resid-post": ("resid_post",),
    "mlp": ("mlp_in", "mlp_out"),
    "mlp-out": ("mlp_out",),
    "hook-mlp-out": ("mlp_out",),
    "att": ("attn_out", "z"),
    "attn": ("attn_out", "z"),
    "attention": ("attn_out", "z"),
    "attn-out": ("attn_out",),
    "z": ("z",),
    "hook-z": ("z",),
    "transcoder": ("transcoder",),
    "transcoders": ("transcoder",),
    "tc": ("transcoder",),
    "embedding": ("embed",),
    "embeddings": ("embed",),
}


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that an entry must satisfy."""

    kind: str  # layer | width | l0 | hook | text
    text: str  # as typed, normalised
    value: float = 0
    sign: str = "~"


def normal(text: str) -> str:
    """Lower case, with - for _."""
    return text.lower().replace("_", "-")


def terms_of(text: str) -> tuple[Term, ...]:
    """The terms, in the order of the words; a word that only announces the next is left out."""
    words = [word for word in re.split(r"[\s,;]+", normal(text)[:500]) if word]
    return tuple(dict.fromkeys(_terms(words[:40])))


def _terms(words: list[str]) -> Iterator[Term]:
    at = 0
    while at < len(words):
        word, following = words[at], words[at + 1] if at + 1 < len(words) else ""
        pair = _pair(word, following)
        yield from [pair] if pair else _single(word)
        at += 2 if pair else 1


def _pair(word: str, following: str) -> Term | None:
    if word in ("layer", "layers", "l") and re.fullmatch(r"\d{1,3}", following):
        return Term("layer", following, int(following))
    if word == "l0" and (match := _BOUND.fullmatch(following)):
        return Term("l0", f"l0 {following}", float(match[2]), _sign(match[1]))
    if word == "width" and (match := _NUMBER.fullmatch(following)):
        return Term("width", following, float(following))
    return None


def _single(word: str) -> Iterator[Term]:
    if word in ("layer", "layers", "width", "hook", "sae", "saes"):
        return  # the next word, if one is to come, says which
    if (match := _L0.fullmatch(word)) and word != "l0":
        yield Term("l0", word, float(match[2]), _sign(match[1]))
    elif match := _LAYER.fullmatch(word):
        yield Term("layer", word, int(match[1]))
    elif match := _WIDTH.fullmatch(word):
        yield Term("width", word, thousands(match[1], match[2]))
    elif word.isascii() and word.isdigit() and 256 <= int(word) < 10**7:
        yield Term("width", word, int(word))
    elif word in HOOKS:
        yield Term("hook", word)
    else:
        yield Term("text", word)


def _sign(sign: str | None) -> str:
    return sign if sign and sign != "=" else "~"
