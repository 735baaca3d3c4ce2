"""Windows of documents: every token once, in order, with as much context as there is room for."""

from __future__ import annotations

import pytest

from services.corpus.packing import (
    Cut,
    n_kept,
    n_left_out,
    usual_context,
    usual_stride,
    windows,
)
from services.errors import InvalidArgument

BOS = 99

CUTS = [
    Cut(context, stride, bos)
    for context in (2, 3, 5, 8)
    for bos in (None, BOS)
    for stride in range(1, context + (bos is None))
]


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_every_token_of_a_document_is_kept_once_in_order(cut: Cut) -> None:
    for n in range(1, 3 * cut.context + 2):
        document = list(range(n))
        kept = [id for w in windows(document, cut) for id in w.token_ids[-w.kept :]]
        assert kept == [*cut.head, *document]
        assert n_kept(n, cut) == len(kept)
        assert n_left_out(n, cut) == 0


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_each_window_is_a_slice_of_the_document_after_bos(cut: Cut) -> None:
    document = list(range(3 * cut.context + 1))
    for number, window in enumerate(windows(document, cut)):
        assert len(window.token_ids) <= cut.context
        assert window.token_ids[: len(cut.head)] == cut.head
        body = window.token_ids[len(cut.head) :]
        assert body == tuple(range(body[0], body[0] + len(body)))
        if number:
            assert len(body) == cut.room
            assert window.kept <= cut.stride


def test_a_document_as_long_as_the_context_is_one_window() -> None:
    cut = Cut(5, 2, BOS)
    assert [w.token_ids for w in windows([1, 2, 3, 4], cut)] == [(BOS, 1, 2, 3, 4)]
    assert [(w.token_ids, w.kept) for w in windows([1, 2, 3, 4, 5], cut)] == [
        ((BOS, 1, 2, 3, 4), 5),
        ((BOS, 2, 3, 4, 5), 1),
    ]


@pytest.mark.parametrize("bos_id", [None, BOS])
def test_where_nobody_says_windows_advance_by_three_quarters(bos_id: int | None) -> None:
    assert [usual_stride(context) for context in (1, 2, 3, 4, 128, 512)] == [1, 1, 2, 3, 96, 384]
    for context in range(2, 600):
        assert Cut(context, usual_stride(context), bos_id).context == context


def test_the_usual_context_is_what_model_and_saes_are_used_to() -> None:
    assert usual_context(1024) == 512
    assert usual_context(128, [None, 1024]) == 128
    assert usual_context(1024, [256, None, 1]) == 256


def test_a_stride_matters_to_sliding_windows_only() -> None:
    assert Cut(8, 100, BOS, "documents").room == 7
    with pytest.raises(InvalidArgument, match="1 to 7"):
        Cut(8, 8, BOS)


def test_one_window_per_document_leaves_the_rest_out() -> None:
    cut = Cut(4, 2, BOS, "documents")
    (window,) = windows(list(range(10)), cut)
    assert (window.token_ids, window.kept) == ((BOS, 0, 1, 2), 4)
    assert n_left_out(10, cut) == 7
    assert n_kept(10, cut) == 4
    assert n_left_out(3, cut) == 0


def test_an_empty_document_has_no_window() -> None:
    cut = Cut(4, 2, BOS)
    assert list(windows([], cut)) == []
    assert n_kept(0, cut) == 0


@pytest.mark.parametrize(("context", "stride", "bos"), [(1, 1, BOS), (4, 4, BOS), (4, 0, None)])
def test_a_cut_that_cannot_be_is_refused(context: int, stride: int, bos: int | None) -> None:
    with pytest.raises(InvalidArgument):
        Cut(context, stride, bos)
