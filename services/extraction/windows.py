"""A corpus as windows of tokens, pool by pool: the same ones from whatever place one goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from services.corpus.packing import Window, n_left_out, windows
from services.corpus.tokenised import token_ids
from services.extraction.plan import Plan
from services.types import CorpusDocument

if TYPE_CHECKING:
    from services.corpus.reading import Corpus

_CHARS_AT_ONCE = 2**20  # given to the tokenizer, which works on several documents in parallel


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pool begins. JSON values."""

    position: int = 0  # tokens stored before
    document: int = 0  # its first window is of this document of the corpus
    window: int = 0  # and this one of its windows
    n_left_out: int = 0  # tokens so far that lie beyond the only window of their document
    n_empty: int = 0  # documents so far without tokens

    def as_json(self) -> list[int]:
        """The place as JSON values."""
        return list(astuple(self))


@dataclass(frozen=True, slots=True)
class Item:
    """A window, and what of it is stored: `stored` tokens from the first new one on."""

    window: Window
    stored: int
    document: CorpusDocument
    number: int  # among the document's windows

    @property
    def begins(self) -> CorpusDocument | None:
        """The document, where this is its first window."""
        return None if self.number else self.document

    @property
    def first(self) -> int:
        """The first new token, within the window."""
        return len(self.window.token_ids) - self.window.kept

    @property
    def token_ids(self) -> tuple[int, ...]:
        """What is stored."""
        return self.window.token_ids[self.first : self.first + self.stored]


@dataclass(frozen=True, slots=True)
class Pool:
    """Windows that are sorted into batches together, in the order of the corpus."""

    place: Place
    items: tuple[Item, ...]
    after: Place

    @property
    def n_tokens(self) -> int:
        """Tokens that are stored of it."""
        return self.after.position - self.place.position


class WindowReader:
    """Reads the documents of a corpus (those of `chosen`) as windows, after a plan."""

    def __init__(
        self, corpus: Corpus, tokenizer: Any, plan: Plan, chosen: np.ndarray | None = None
    ) -> None:
        self._corpus, self._tokenizer = corpus, tokenizer
        self._plan, self._cut, self._chosen = plan, plan.cut, chosen

    def pools(self, place: Place) -> Iterator[Pool]:
        """The pools from the one that begins at `place` on."""
        begin, items, size = place, list[Item](), 0
        for item, after in self._items(place):
            items.append(item)
            size += len(item.window.token_ids)
            if size >= self._plan.pool_tokens:
                yield Pool(begin, tuple(items), after)
                begin, items, size = after, [], 0
            last = after
        if items:
            yield Pool(begin, tuple(items), last)

    def _items(self, place: Place) -> Iterator[tuple[Item, Place]]:
        """Each window with the place after it, behind the empty documents that follow it."""
        limit, at, item = self._plan.max_tokens, place, None
        for document, ids in self._documents(place.document):
            if limit is not None and at.position >= limit:
                break
            known = place.window if document.number == place.document else 0
            for number, window in enumerate(windows(ids, self._cut)):
                if number < known:
                    continue
                if item is not None:
                    yield item, at
                stored = window.kept if limit is None else min(window.kept, limit - at.position)
                item = Item(window, stored, document, number)
                position = at.position + stored
                at = replace(at, document=document.number, window=number + 1, position=position)
                if position == limit:
                    break
            at = replace(
                at,
                document=document.number + 1,
                window=0,
                n_left_out=at.n_left_out + n_left_out(len(ids), self._cut),
                n_empty=at.n_empty + (not ids),
            )
        if item is not None:
            yield item, at

    def _documents(self, start: int) -> Iterator[tuple[CorpusDocument, Sequence[int]]]:
        """The documents with their token ids, without BOS."""
        waiting, chars = list[CorpusDocument](), 0
        for document in self._corpus.documents(start, chosen=self._chosen):
            waiting.append(document)
            chars += len(document.text)
            if chars >= _CHARS_AT_ONCE:
                yield from self._tokenised(waiting)
                waiting, chars = [], 0
        yield from self._tokenised(waiting)

    def _tokenised(
        self, documents: Sequence[CorpusDocument]
    ) -> Iterator[tuple[CorpusDocument, Sequence[int]]]:
        texts = [document.text for document in documents]
        return zip(documents, token_ids(self._tokenizer, texts, self._cut), strict=True)
