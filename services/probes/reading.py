"""A text through the resident model, and what an SAE's features do on it; in the engine's thread.

A document is read as an extraction reads one: BOS in front where the SAE expects it (unless its
configuration denies it) and the tokenizer has one, no chat template. So the values are those that
the stores' examples have. A prompt is read as a run reads it: in the model's chat template if it
has one, with the BOS that its tokenizer writes. Special tokens count in neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.errors import InvalidArgument
from services.probes.requests import ReadAs
from services.runs.catalogue import Catalogue
from services.types import FloatArray
from services.types.features import TestedText, TestedToken
from services.types.probes import FiringFeatures

if TYPE_CHECKING:
    from torch import Tensor

    from services.lm.language_model import LanguageModel
    from services.lm.resident import Residents
    from services.sae.loader import Sae


@dataclass(frozen=True, slots=True)
class _Read:
    """A text as the model has read it for an SAE."""

    lm: LanguageModel
    sae: Sae
    token_ids: list[int]
    is_special: list[bool]
    activations: Tensor  # [n, d_in]


@dataclass(frozen=True, slots=True)
class TextReader:
    """Reads texts with the resident models. Its methods are called in the engine's thread."""

    catalogue: Catalogue
    residents: Residents

    def test(self, sae_id: str, feature_id: int, text: str, read_as: ReadAs) -> TestedText:
        """The feature's exact value at every token, however many other features fire there.

        Raises:
            NotFound: there is no such SAE, feature, or model for it.
            InvalidArgument: the text is longer than the model reads.
            Unsupported: the SAE does not fit the model.
        """
        from services.sae.encode_one import feature_values

        with self.residents.hold(self._model_of(sae_id), (sae_id,)):
            read = self._read(sae_id, text, read_as)
            values = feature_values(read.sae, read.activations, [feature_id])[:, 0]
        return _tested(read, feature_id, text, values, read_as)

    def fires(self, sae_id: str, text: str) -> FiringFeatures:
        """All features that fire at a token that is not special. Raises as `test`."""
        from services.sae.encode import encode_features

        with self.residents.hold(self._model_of(sae_id), (sae_id,)):
            read = self._read(sae_id, text, "document")
            counted = [not special for special in read.is_special]
            encoded = encode_features(read.sae, read.activations, 1, counted)
        ids = np.flatnonzero(encoded.feature_hits).astype(np.int32)
        return FiringFeatures(ids, encoded.feature_max[ids])

    def _model_of(self, sae_id: str) -> str:
        model_id = self.catalogue.sae_entry(sae_id).info.model_id
        return self.catalogue.resolve(model_id, (sae_id,), None, None)[0]

    def _read(self, sae_id: str, text: str, read_as: ReadAs) -> _Read:
        from services.lm.capture import capture
        from services.sae.loader import check_fit

        lm, sae = self.residents.model(self._model_of(sae_id)), self.residents.sae(sae_id)
        check_fit(lm, sae)
        ids, special = self._tokens(lm, sae_id, text, read_as)
        _check_readable(lm, ids)
        return _Read(lm, sae, ids, special, capture(lm, ids, [sae.capture_name])[sae.capture_name])

    def _tokens(
        self, lm: LanguageModel, sae_id: str, text: str, read_as: ReadAs
    ) -> tuple[list[int], list[bool]]:
        from services.corpus.packing import Cut
        from services.corpus.tokenised import token_ids
        from services.lm.prompts import render
        from services.sae.preflight.stated import read_stated

        if read_as == "prompt":
            prompt = render(lm, text)
            return prompt.token_ids, prompt.is_special
        stated = read_stated(self.catalogue.sae_entry(sae_id), {})
        bos_id = lm.tokenizer.bos_token_id if stated.prepend_bos else None
        cut = Cut(lm.n_ctx, 1, bos_id, "documents")
        ids = [*cut.head, *token_ids(lm.tokenizer, [text], cut)[0]]
        return ids, [id in lm.special_ids for id in ids]


def _check_readable(lm: LanguageModel, ids: list[int]) -> None:
    if not ids:
        raise InvalidArgument("the text has no tokens", field="text")
    if len(ids) > lm.n_ctx:
        raise InvalidArgument(
            f"the text has {len(ids)} tokens; {lm.info.model_id} reads at most {lm.n_ctx}: "
            "shorten it",
            field="text",
            n_tokens=len(ids),
            n_ctx=lm.n_ctx,
        )
    if not 0 <= min(ids) <= max(ids) < lm.info.n_vocab:
        raise InvalidArgument(
            f"the text holds token ids that {lm.info.model_id} does not have", field="text"
        )


def _tested(
    read: _Read, feature_id: int, text: str, values: FloatArray, read_as: ReadAs
) -> TestedText:
    from services.lm.tokens import token_pieces, token_texts

    ids = read.token_ids
    texts, pieces = (named(read.lm.tokenizer, ids) for named in (token_texts, token_pieces))
    tokens = zip(ids, texts, read.is_special, values.tolist(), pieces, strict=True)
    counted = np.where(read.is_special, 0, values)
    at = int(np.abs(counted).argmax())
    return TestedText(
        sae_id=read.sae.info.sae_id,
        feature_id=feature_id,
        text=text,
        tokens=tuple(TestedToken(*token) for token in tokens),
        max=float(counted[at]),
        argmax=at if counted[at] else None,
        has_bos=ids[0] == read.lm.tokenizer.bos_token_id,
        has_template=read_as == "prompt" and read.lm.tokenizer.chat_template is not None,
    )
