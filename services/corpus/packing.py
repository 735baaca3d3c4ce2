"""How a document becomes the sequences that a model reads: every token kept once, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from services.errors import InvalidArgument

Policy = Literal["sliding", "documents"]

LONGEST = 512  # tokens per window where nobody asks for more


@dataclass(frozen=True, slots=True)
class Cut:
    """How documents are cut; `bos_id` is put in front of every window unless it is None."""

    context: int  # tokens per window, BOS included
    stride: int  # new tokens of each window but a document's first; for `sliding`
    bos_id: int | None
    policy: Policy = "sliding"

    def __post_init__(self) -> None:
        if self.room < 1:
            raise InvalidArgument(
                f"a context of {self.context} has no room for a token after BOS", field="context"
            )
        if self.policy == "sliding" and not 1 <= self.stride <= self.room:
            without = "" if self.bos_id is None else " without BOS"
            raise InvalidArgument(
                f"stride must be 1 to {self.room}, the context{without}, not {self.stride}",
                field="stride",
            )

    @property
    def head(self) -> tuple[int, ...]:
        """What every window begins with."""
        return () if self.bos_id is None else (self.bos_id,)

    @property
    def room(self) -> int:
        """Tokens of the document that a window holds."""
        return self.context - len(self.head)


@dataclass(frozen=True, slots=True)
class Window:
    """A sequence as the model reads it; its last `kept` tokens are new, the others context."""

    token_ids: tuple[int, ...]
    kept: int


def usual_context(n_ctx: int, trained: Iterable[int | None] = ()) -> int:
    """Tokens per window where nobody says: what the model reads and its SAEs were trained on."""
    return min([LONGEST, n_ctx, *(size for size in trained if size is not None and size > 1)])


def usual_stride(context: int) -> int:
    """Three quarters of the window: a long document costs a third more than its tokens, and each
    new token has at least a quarter of the window before it. With half it would cost twice as much.
    """
    return max(context * 3 // 4, 1)


def windows(token_ids: Sequence[int], cut: Cut) -> Iterator[Window]:
    """The windows of a document. Joined, their kept tokens are BOS and the document's tokens.

    A window never spans documents. Each later window ends `stride` tokens after the one before and
    is full, so that every token is read with as much context as there is room for. With the policy
    `documents` there is one window, and what lies beyond it is left out.
    """
    if not token_ids:
        return
    first = (*cut.head, *token_ids[: cut.room])
    yield Window(first, len(first))
    end = cut.room
    while cut.policy == "sliding" and end < len(token_ids):
        stop = min(end + cut.stride, len(token_ids))
        yield Window((*cut.head, *token_ids[stop - cut.room : stop]), stop - end)
        end = stop


def n_left_out(n_tokens: int, cut: Cut) -> int:
    """Tokens of a document of `n_tokens` that no window keeps."""
    return max(n_tokens - cut.room, 0) if cut.policy == "documents" else 0


def n_kept(n_tokens: int, cut: Cut) -> int:
    """Tokens that are kept of a document of `n_tokens`, BOS included."""
    return n_tokens - n_left_out(n_tokens, cut) + len(cut.head) if n_tokens else 0
