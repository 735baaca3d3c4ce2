"""A corpus as windows in pools: against plain loops over its documents, from every place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from services.extraction.batching import batches
from services.extraction.plan import Plan
from services.extraction.windows import Place, WindowReader
from services.types import CorpusDocument
from tests import tiny

BOS, CONTEXT = 1, 24
_LENGTHS = (0, 3, 0, 23, 24, 25, 0, 100, 60, 1, 0, 0, 47, 48, 49, 2, 200, 0, 0)
_rng = np.random.default_rng(1)
TEXTS = ["".join(_rng.choice(list("abcdefg ATQé"), n)) for n in _LENGTHS]
TEXTS.insert(8, "<bos>hi<|end|>yo")
CASES = list(
    product((BOS, None), ("sliding", "documents"), (None, 1, 37, 100, 333, 10**6), (24, 100))
)


class _Documents:
    def documents(
        self, start: int = 0, stop: int | None = None, chosen: np.ndarray | None = None
    ) -> Iterator[CorpusDocument]:
        for number, text in list(enumerate(TEXTS))[start:stop]:
            if chosen is None or chosen[number]:
                yield CorpusDocument(number, f"d{number}", text, {})


@cache
def tokenizer() -> Any:
    return tiny.byte_level_tokenizer()


def plan(
    bos_id: int | None, policy: Any, max_tokens: int | None, batch_tokens: int, stride: int = 8
) -> Plan:
    return Plan(
        context=CONTEXT,
        stride=stride,
        policy=policy,
        bos_id=bos_id,
        skip_bos=True,
        skip_special=True,
        max_tokens=max_tokens,
        sample_seed=None,
        batch_tokens=batch_tokens,
        part_tokens=64,
        metadata={},
        precision="auto",
        device="cpu",
        dtype="float32",
        versions={},
    )


def reader(chosen: Plan, documents: np.ndarray | None = None) -> WindowReader:
    return WindowReader(_Documents(), tokenizer(), chosen, documents)  # type: ignore[arg-type]


@dataclass
class Expected:
    token_ids: list[int]
    starts: list[int]
    n_left_out: int
    n_empty: int


def expected(chosen: Plan, documents: Mapping[int, str]) -> Expected:
    """What is to be stored of the documents."""
    found = Expected([], [], 0, 0)
    for text in documents.values():
        ids = tokenizer()(text, add_special_tokens=False)["input_ids"]
        head = [] if chosen.bos_id is None else [chosen.bos_id]
        ids = ids[1:] if head and ids[:1] == head else ids
        if not ids:
            found.n_empty += 1
            continue
        room = CONTEXT - len(head) if chosen.policy == "documents" else len(ids)
        found.n_left_out += max(len(ids) - room, 0)
        found.starts.append(len(found.token_ids))
        found.token_ids += head + ids[:room]
    return found


@pytest.mark.parametrize(("bos_id", "policy", "max_tokens", "batch_tokens"), CASES)
def test_what_is_stored_are_the_documents_tokens_once(
    bos_id: int | None, policy: str, max_tokens: int | None, batch_tokens: int
) -> None:
    chosen = plan(bos_id, policy, max_tokens, batch_tokens)
    wanted = expected(chosen, dict(enumerate(TEXTS)))
    ids, starts, at = list[int](), list[int](), 0
    for pool in reader(chosen).pools(Place()):
        assert pool.place.position == at
        for item in pool.items:
            starts += [at] if item.begins else []
            ids += item.token_ids
            at += item.stored
        assert pool.after.position == at
        last = pool.after
    assert ids == wanted.token_ids[:max_tokens]
    assert starts == [start for start in wanted.starts if start < len(ids)]
    if len(ids) == len(wanted.token_ids) and len(ids) != max_tokens:
        assert (last.n_left_out, last.n_empty) == (wanted.n_left_out, wanted.n_empty)


@pytest.mark.parametrize(("bos_id", "policy", "max_tokens", "batch_tokens"), CASES)
def test_pools_are_the_same_from_whatever_place_one_goes_on(
    bos_id: int | None, policy: str, max_tokens: int | None, batch_tokens: int
) -> None:
    chosen = plan(bos_id, policy, max_tokens, batch_tokens)
    pools = list(reader(chosen).pools(Place()))
    for i, pool in enumerate(pools):
        again = list(reader(chosen).pools(Place(*pool.place.as_json())))
        assert again == pools[i:]
    assert list(reader(chosen).pools(pools[-1].after)) == []


def test_only_chosen_documents_are_read() -> None:
    chosen = plan(BOS, "sliding", None, 100)
    documents = np.arange(len(TEXTS)) % 3 == 1
    wanted = expected(chosen, {n: t for n, t in enumerate(TEXTS) if documents[n]})
    pools = list(reader(chosen, documents).pools(Place()))
    stored = [id for pool in pools for item in pool.items for id in item.token_ids]
    assert stored == wanted.token_ids
    numbers = [item.begins.number for pool in pools for item in pool.items if item.begins]
    assert set(numbers) <= set(np.flatnonzero(documents).tolist())


@pytest.mark.parametrize("stride", [1, 8, 23])
def test_windows_hold_the_context_before_their_new_tokens(stride: int) -> None:
    chosen = plan(BOS, "sliding", None, 100, stride)
    document: list[int] = []
    for pool in reader(chosen).pools(Place()):
        for item in pool.items:
            document = [] if item.begins else document
            document += item.token_ids
            body = item.window.token_ids[1:]
            assert item.window.token_ids[0] == BOS
            assert list(body) == document[1:][-len(body) :]
            assert item.begins or len(body) == CONTEXT - 1


@pytest.mark.parametrize("batch_tokens", [1, 24, 50, 1000])
def test_batches_are_bounded_with_their_padding_and_have_each_window_once(
    batch_tokens: int,
) -> None:
    (pool,) = reader(plan(BOS, "sliding", None, 10_000)).pools(Place())
    found = list(batches(pool.items, batch_tokens))
    assert sorted(number for batch in found for number in batch) == list(range(len(pool.items)))
    for batch in found:
        longest = max(len(pool.items[number].window.token_ids) for number in batch)
        assert longest * len(batch) <= batch_tokens or len(batch) == 1
