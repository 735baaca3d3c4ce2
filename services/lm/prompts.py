"""What the model reads: the prompt as typed, or filled into the model's chat template.

Inside a template the user's and the system's words are text, also where they spell a special
token such as `<|end|>`: nobody can close their own turn by typing. A raw prompt (no template) is
read the way `tokenizer(prompt)` reads it, special tokens included, so that a template can be
written by hand; such tokens are marked special.

BOS: the model's own tokenizer decides. Llama and Gemma put it in front of a text, GPT-2, GPT-NeoX
and Qwen do not, and a run reads what users of the model have it read; its features are of that
very pass. SAEs are mostly trained with BOS in front of everything. Without it the first token takes
its part (attention rests on it, its vector is many times longer), so that features there mean
little.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.errors import InvalidArgument, Unsupported
from services.lm.language_model import LanguageModel

# Stand-ins for the words of each role, to see where a template puts them: private-use characters
# survive trimming and changes of case, and belong to no template.
_MARKS = {"system": "\ue0f0\ue0f1\ue0f2", "user": "\ue0f3\ue0f4\ue0f5"}


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt as the model reads it; `token_ids` and `is_special` have one entry per token."""

    text: str
    token_ids: list[int]
    is_special: list[bool]  # BOS, other special tokens, and everything the template wrote


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    is_template: bool


def render(
    lm: LanguageModel,
    prompt: str,
    system_prompt: str | None = None,
    chat_template: Literal["auto", "on", "off"] = "auto",
) -> RenderedPrompt:
    """The prompt's tokens, never with a doubled BOS.

    Raises `Unsupported` when a template or a system message is wanted that the model has no place
    for, and `InvalidArgument` when nothing is left to read.
    """
    has_template = lm.tokenizer.chat_template is not None
    if chat_template == "on" and not has_template:
        raise Unsupported(f"{lm.info.model_id} has no chat template: choose auto or off")
    if chat_template == "off" or not has_template:
        if system_prompt:
            raise Unsupported(
                "a system prompt needs a chat template: "
                + ("turn the template on" if has_template else f"{lm.info.model_id} has none"),
                field="system_prompt",
            )
        return _raw(lm, prompt)
    words = {"system": system_prompt} if system_prompt else {}
    return _chat(lm, {**words, "user": prompt})


def _raw(lm: LanguageModel, prompt: str) -> RenderedPrompt:
    encoded = lm.tokenizer(prompt, return_special_tokens_mask=True)
    ids, added = encoded["input_ids"], encoded["special_tokens_mask"]
    while ids and added[len(ids) - 1] and ids[-1] in lm.eos_ids and len(ids) > 1:
        ids = ids[:-1]  # some tokenizers end each text with EOS: the text is to be continued
    bos = lm.tokenizer.bos_token_id
    if len(ids) > 1 and added[0] and ids[0] == ids[1] == bos:
        ids = ids[1:]  # typed and added
    if not ids and bos is None:
        raise InvalidArgument("the prompt has no tokens", field="prompt")
    ids = ids or [bos]
    return RenderedPrompt(prompt, list(ids), [id in lm.special_ids for id in ids])


def _chat(lm: LanguageModel, words: Mapping[str, str]) -> RenderedPrompt:
    text = _fill(lm, words)
    pieces = _pieces(lm, text, words)
    if _spells_special(lm, pieces):
        ids, special = _tokens_by_piece(lm, pieces)
    else:
        ids, special = _tokens_at_once(lm, text, pieces)
    if not ids:
        raise InvalidArgument("the prompt has no tokens", field="prompt")
    marked = [
        is_template or id in lm.special_ids for id, is_template in zip(ids, special, strict=True)
    ]
    return RenderedPrompt(text, ids, marked)


def _fill(lm: LanguageModel, words: Mapping[str, str]) -> str:
    from jinja2 import TemplateError

    messages = [{"role": role, "content": content} for role, content in words.items()]
    try:
        return str(
            lm.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        )
    except (TemplateError, ValueError, TypeError, KeyError) as error:
        raise Unsupported(
            f"the chat template of {lm.info.model_id} refuses this prompt: {str(error)[:200]}"
        ) from error


def _pieces(lm: LanguageModel, text: str, words: Mapping[str, str]) -> list[_Piece]:
    """`text` cut into what the template wrote and what the roles said."""
    skeleton = _fill(lm, {role: _MARKS[role] for role in words})
    if "system" in words and _MARKS["system"] not in skeleton:
        raise Unsupported(f"the chat template of {lm.info.model_id} ignores the system prompt")
    parts = re.split(f"({'|'.join(map(re.escape, _MARKS.values()))})", skeleton)
    role_of = {mark: role for role, mark in _MARKS.items()}
    for trim in (str, str.strip, str.lstrip, str.rstrip):
        said = {mark: trim(words[role]) for mark, role in role_of.items() if role in words}
        pieces = [_Piece(said.get(part, part), part not in said) for part in parts]
        if "".join(piece.text for piece in pieces) == text:
            return [piece for piece in pieces if piece.text]
    return _changed_pieces(text, parts)


def _changed_pieces(text: str, parts: Sequence[str]) -> list[_Piece]:
    """For templates that change the words: what stands between the template's own parts.

    Where not even those are found again, all of it counts as the template's.
    """
    marks = _MARKS.values()
    pattern = "".join("(.*)" if part in marks else f"({re.escape(part)})" for part in parts)
    match = re.fullmatch(pattern, text, re.DOTALL)
    if match is None:
        return [_Piece(text, True)]
    pairs = zip(match.groups(), parts, strict=True)
    return [_Piece(said, part not in marks) for said, part in pairs if said]


def _spells_special(lm: LanguageModel, pieces: Sequence[_Piece]) -> bool:
    said = [piece.text for piece in pieces if not piece.is_template]
    tokens = (t.content for t in lm.tokenizer.added_tokens_decoder.values() if t.special)
    return any(token in text for token in tokens for text in said)


def _tokens_by_piece(lm: LanguageModel, pieces: Sequence[_Piece]) -> tuple[list[int], list[bool]]:
    ids: list[int] = []
    special: list[bool] = []
    for piece in pieces:
        new = _encode(lm, piece.text, split_special_tokens=not piece.is_template)["input_ids"]
        ids += new
        special += [piece.is_template] * len(new)
    return ids, special


def _tokens_at_once(
    lm: LanguageModel, text: str, pieces: Sequence[_Piece]
) -> tuple[list[int], list[bool]]:
    encoded = _encode(lm, text, split_special_tokens=False, return_offsets_mapping=True)
    said: list[tuple[int, int]] = []
    at = 0
    for piece in pieces:
        if not piece.is_template:
            said.append((at, at + len(piece.text)))
        at += len(piece.text)
    special = [
        not any(begin < stop and end > start for start, stop in said)
        for begin, end in encoded["offset_mapping"]
    ]
    return encoded["input_ids"], special


def _encode(lm: LanguageModel, text: str, **options: Any) -> Any:
    return lm.tokenizer(text, add_special_tokens=False, **options)
