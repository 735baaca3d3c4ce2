"""`vocabulary.parquet` beside a store: what its token ids read as, without the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from services.lm.tokens import token_bytes, token_texts
from services.store.storage import open_storage
from services.stores.vocabulary import SCHEMA, VOCABULARY

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel


def write_vocabulary(url: str, lm: LanguageModel) -> None:
    """Write the file into the store at `url`; nothing when it is there."""
    storage = open_storage(url, "vocabulary")
    if VOCABULARY in storage.names(""):
        return
    ids = list(range(len(lm.tokenizer)))
    columns = (
        ids,
        token_texts(lm.tokenizer, ids),
        token_bytes(lm.tokenizer, ids),
        [id in lm.special_ids for id in ids],
    )
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    with storage.writing(VOCABULARY) as file:
        pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), file.local, compression="zstd")
