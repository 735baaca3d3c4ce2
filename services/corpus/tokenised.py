"""The first windows of a corpus as a model would read them, and how many tokens it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from services.corpus.packing import (
    Cut,
    Window,
    n_kept,
    n_left_out,
    usual_context,
    usual_stride,
    windows,
)
from services.corpus.requests import Packing, PackingQuery
from services.errors import InvalidArgument
from services.lm.tokens import special_ids, token_texts
from services.types import ModelInfo, PackedWindow, PackingPreview

if TYPE_CHECKING:
    from services.corpus.reading import Corpus

_DOCUMENTS, _CHARS = 256, 200_000  # that are looked at, at most


def preview(
    corpus: Corpus, tokenizer: Any, model: ModelInfo, query: PackingQuery
) -> PackingPreview:
    """What the packing makes of the first documents; texts longer than all that is looked at are
    cut there. With BOS "auto" it is used where the tokenizer has one, as most SAEs were trained.

    Raises:
        InvalidArgument: the options contradict each other or the model.
    """
    cut = cut_of(query, tokenizer, model)
    shown: list[PackedWindow] = []
    n_documents = n_chars = n_tokens = kept = left_out = 0
    for number, text in _first_texts(corpus):
        (ids,) = token_ids(tokenizer, [text], cut)
        n_documents, n_chars, n_tokens = n_documents + 1, n_chars + len(text), n_tokens + len(ids)
        kept, left_out = kept + n_kept(len(ids), cut), left_out + n_left_out(len(ids), cut)
        room = query.limit - len(shown)
        shown += [_packed(number, w, tokenizer) for w in islice(windows(ids, cut), room)]
    return PackingPreview(
        model_id=model.model_id,
        context=cut.context,
        windows=tuple(shown),
        n_documents=n_documents,
        n_tokens=kept,
        n_left_out=left_out,
        chars_per_token=n_chars / max(n_tokens, 1),
        estimated_tokens=round(kept * corpus.info.n_chars / max(n_chars, 1)),
    )


def cut_of(packing: Packing, tokenizer: Any, model: ModelInfo) -> Cut:
    """How documents are cut, as far as that does not depend on SAEs."""
    bos_id = None if packing.bos == "never" else tokenizer.bos_token_id
    if packing.bos == "always" and bos_id is None:
        raise InvalidArgument(f"the tokenizer of {model.model_id} has no BOS", field="bos")
    context = packing.context or usual_context(model.n_ctx)
    if context > model.n_ctx:
        raise InvalidArgument(
            f"a context of {context} tokens; {model.model_id} reads {model.n_ctx}", field="context"
        )
    return Cut(context, packing.stride or usual_stride(context), bos_id, packing.policy)


def token_ids(tokenizer: Any, texts: Sequence[str], cut: Cut) -> list[list[int]]:
    """The tokens of each text as `tokenizer(text)` reads it, special ones that it spells included,
    but without those that the tokenizer adds. A BOS that the text spells itself is not doubled.
    """
    if not texts:
        return []
    rows = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return [ids[1:] if cut.head and ids[:1] == [*cut.head] else ids for ids in rows]


def _first_texts(corpus: Corpus) -> Iterator[tuple[int, str]]:
    left = _CHARS
    for document in corpus.documents(0, _DOCUMENTS):
        yield document.number, document.text[:left]
        left -= len(document.text)
        if left <= 0:
            return


def _packed(number: int, window: Window, tokenizer: Any) -> PackedWindow:
    special, n = special_ids(tokenizer), len(window.token_ids)
    return PackedWindow(
        document=number,
        tokens=tuple(token_texts(tokenizer, window.token_ids)),
        token_ids=window.token_ids,
        is_special=tuple(id in special for id in window.token_ids),
        is_new=tuple(i >= n - window.kept for i in range(n)),
    )
