"""From token ids back to bytes and text, exactly.

`tokenizer.decode` cannot say what one token contributes: a character may be spread over several
tokens. Here each token is first turned into its bytes.
"""

from __future__ import annotations

import codecs
import json
import re
import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from services.text import storable

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def token_bytes(tokenizer: Any, ids: Sequence[int], *, starts_text: bool = False) -> list[bytes]:
    """The bytes of each token; joined they are the exact text, special tokens included.

    Some vocabularies put a space before a text. It is part of the first token's bytes, since ids
    usually continue a text; with `starts_text` it is taken away again.
    """
    codec = _codec(tokenizer)
    pieces = [codec.bytes_of(int(id)) for id in ids]
    if starts_text and codec.adds_space:
        for i, id in enumerate(ids):
            if int(id) not in codec.added:
                pieces[i] = pieces[i].removeprefix(b" ")
                break
    return pieces


def token_texts(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Each token for display: bytes that are no text on their own appear as \\xNN."""
    codec = _codec(tokenizer)
    return [
        storable(codec.bytes_of(int(id)).decode("utf-8", "backslashreplace")) or f"[{int(id)}]"
        for id in ids
    ]


def token_pieces(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """For each token the characters that end in it: joined they are the text, also where a
    character is spread over tokens. What ends nowhere is in the last one, as U+FFFD.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces = [decoder.decode(part) for part in token_bytes(tokenizer, ids)]
    if pieces:
        pieces[-1] += decoder.decode(b"", final=True)
    return [storable(piece) for piece in pieces]


def decode_text(tokenizer: Any, ids: Sequence[int], *, skip_special: bool = True) -> str:
    """The text that `ids` spell as the continuation of a text.

    Special tokens are left out unless asked for. Bytes that form no UTF-8 become U+FFFD.
    """
    codec = _codec(tokenizer)
    shown = (int(id) for id in ids if not (skip_special and int(id) in codec.special))
    return b"".join(map(codec.bytes_of, shown)).decode("utf-8", "replace")


def special_ids(tokenizer: Any) -> frozenset[int]:
    """Ids of the special tokens."""
    return _codec(tokenizer).special


class _Codec:
    """How one tokenizer's vocabulary spells bytes."""

    def __init__(self, tokenizer: Any) -> None:
        self.added = {id: token.content for id, token in tokenizer.added_tokens_decoder.items()}
        self.special: frozenset[int] = frozenset(tokenizer.all_special_ids) | {
            id for id, token in tokenizer.added_tokens_decoder.items() if token.special
        }
        self._literal = frozenset(self.added.values())
        self._tokenizer = weakref.proxy(tokenizer)
        steps = _decoder_steps(tokenizer)
        kinds = {step["type"] for step in steps}
        self.adds_space = any(map(_strips_start, steps))
        self._spell = self._speller(kinds, steps)
        self.bytes_of = lru_cache(maxsize=65_536)(self._bytes_of)

    def _bytes_of(self, id: int) -> bytes:
        token = self._tokenizer.convert_ids_to_tokens(id)
        if token is None:  # the model has more ids than the tokenizer
            return b""
        return token.encode() if id in self.special else self._spell(token)

    def _speller(self, kinds: set[str], steps: list[dict[str, Any]]) -> Callable[[str], bytes]:
        if "ByteLevel" in kinds:
            return self._spell_byte_level
        replacements = _replacements(steps)
        if not replacements:  # WordPiece and the like: no bytes are recorded in the vocabulary
            return lambda token: self._tokenizer.convert_tokens_to_string([token]).encode()
        return lambda token: _spell_sentencepiece(token, replacements, "ByteFallback" in kinds)

    def _spell_byte_level(self, token: str) -> bytes:
        alphabet = _byte_of_character()
        if token in self._literal or any(c not in alphabet for c in token):
            return token.encode()
        return bytes(alphabet[c] for c in token)


_codecs: weakref.WeakKeyDictionary[Any, _Codec] = weakref.WeakKeyDictionary()


def _codec(tokenizer: Any) -> _Codec:
    codec = _codecs.get(tokenizer)
    if codec is None:
        codec = _codecs[tokenizer] = _Codec(tokenizer)
    return codec


def _decoder_steps(tokenizer: Any) -> list[dict[str, Any]]:
    decoder = tokenizer.backend_tokenizer.decoder
    if decoder is None:
        return []
    state = json.loads(decoder.__getstate__())
    return state["decoders"] if state["type"] == "Sequence" else [state]


def _strips_start(step: dict[str, Any]) -> bool:
    if step["type"] == "Metaspace":
        return step.get("prepend_scheme", "always") != "never"
    return step["type"] == "Strip" and step.get("start", 0) > 0


def _replacements(steps: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = []
    for step in steps:
        if step["type"] == "Metaspace":
            found.append((step.get("replacement", "▁"), " "))
        if step["type"] == "Replace" and "String" in step["pattern"]:
            found.append((step["pattern"]["String"], step["content"]))
    return found


def _spell_sentencepiece(token: str, replacements: list[tuple[str, str]], fallback: bool) -> bytes:
    match = _BYTE_TOKEN.fullmatch(token) if fallback else None
    if match:
        return bytes([int(match[1], 16)])
    for old, new in replacements:
        token = token.replace(old, new)
    return token.encode()


@lru_cache(maxsize=1)
def _byte_of_character() -> dict[str, int]:
    """The alphabet of byte-level BPE: printable bytes stand for themselves, others from U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}
