"""Token bytes: what the tokens spell, joined, is the text, whatever the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.lm.tokens import decode_text, token_bytes, token_pieces, token_texts
from tests import tiny

TEXTS = [
    "the cat sat",
    "  two leading spaces and a trailing ",
    "naïve café — “quoted”",
    "👩‍👩‍👧 family, 🇩🇪 flag, 🏳️‍🌈",
    "漢字とかな 한국어",
    "e\u0301 combining, a\u0308",
    "tab\tnewline\n\r\n\x00\x07\x1b[31m control",
    "مرحبا \u202eright to left",
    "\ufeffBOM and \ufffd replacement",
    "<|not a token|> <0x41> ▁ Ġ",
]
BYTE_LEVEL = tiny.byte_level_tokenizer()
SENTENCEPIECE = tiny.sentencepiece_tokenizer()


def encoded(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("text", TEXTS)
def test_byte_level_tokens_join_to_the_exact_text(text):
    ids = encoded(BYTE_LEVEL, text)
    assert b"".join(token_bytes(BYTE_LEVEL, ids)).decode() == text
    assert decode_text(BYTE_LEVEL, ids) == text


@pytest.mark.parametrize("text", [t for t in TEXTS if "▁" not in t])  # ▁ is its space
def test_sentencepiece_tokens_join_to_the_exact_text(text):
    ids = encoded(SENTENCEPIECE, text)
    assert b"".join(token_bytes(SENTENCEPIECE, ids, starts_text=True)).decode() == text


def test_the_space_before_a_text_is_kept_where_ids_continue_one():
    ids = encoded(SENTENCEPIECE, "the cat")
    assert decode_text(SENTENCEPIECE, ids) == " the cat"
    assert SENTENCEPIECE.decode(ids) == "the cat"


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_byte_level_tokens(text):
    assert decode_text(BYTE_LEVEL, encoded(BYTE_LEVEL, text)) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(7, 299), max_size=20))
def test_any_ids_decode_as_transformers_decodes_them(ids):
    assert decode_text(BYTE_LEVEL, ids) == BYTE_LEVEL.decode(ids)


def test_a_character_in_parts_is_shown_byte_by_byte():
    ids = encoded(BYTE_LEVEL, "😀")
    assert token_texts(BYTE_LEVEL, ids) == ["\\xf0", "\\x9f", "\\x98", "\\x80"]
    ids = encoded(SENTENCEPIECE, "😀")
    assert token_texts(SENTENCEPIECE, ids)[-4:] == ["\\xf0", "\\x9f", "\\x98", "\\x80"]


def test_a_character_in_parts_is_a_piece_of_the_token_that_ends_it():
    ids = BYTE_LEVEL("日 a😀")["input_ids"]
    pieces = token_pieces(BYTE_LEVEL, ids)
    assert "".join(pieces) == "<bos>日 a😀"
    assert pieces[1:4] == ["", "", "日"]
    assert token_pieces(BYTE_LEVEL, ids[:2]) == ["<bos>", "\ufffd"]
    assert token_pieces(BYTE_LEVEL, []) == []


def test_every_id_has_something_to_show():
    assert all(token_texts(BYTE_LEVEL, range(len(BYTE_LEVEL))))
    assert token_texts(BYTE_LEVEL, [5000]) == ["[5000]"]  # a model may have more ids
    nul = encoded(BYTE_LEVEL, "\x00")
    assert token_texts(BYTE_LEVEL, nul) == ["␀"]


def test_special_tokens_are_bytes_of_the_sequence_but_not_of_the_text():
    ids = [1, *encoded(BYTE_LEVEL, "cat"), 6]
    assert b"".join(token_bytes(BYTE_LEVEL, ids)) == b"<bos>cat<|end|>"
    assert decode_text(BYTE_LEVEL, ids) == "cat"
    assert decode_text(BYTE_LEVEL, ids, skip_special=False) == "<bos>cat<|end|>"


def test_a_text_that_spells_a_byte_token_stays_that_text():
    text = "<0x41>"
    ids = encoded(BYTE_LEVEL, text)
    assert decode_text(BYTE_LEVEL, ids) == text
