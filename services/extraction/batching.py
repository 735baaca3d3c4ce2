"""A pool of windows as batches of similar length: little padding, and the same ones every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.extraction.windows import Item


def batches(items: Sequence[Item], batch_tokens: int) -> Iterator[list[int]]:
    """Numbers of the items of each batch, the longest first; with its padding a batch has at most
    `batch_tokens` tokens, or one window.
    """
    lengths = [len(item.window.token_ids) for item in items]
    batch = list[int]()
    for number in sorted(range(len(items)), key=lambda i: (-lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > batch_tokens:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
