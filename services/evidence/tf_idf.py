"""Which tokens tell the examples of an interval from the rest of the corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from services.features.token_counts import TokenCounts
from services.stores.contexts import token_names
from services.stores.reading import Reading
from services.types.features import EvidenceExample, ScoredToken


def best_tokens(
    reading: Reading, counts: TokenCounts | None, examples: Sequence[EvidenceExample], most: int
) -> tuple[ScoredToken, ...]:
    """Tokens of the joined contexts by TF-IDF, special ones left out; none without `counts`.

    As scikit-learn's TfidfTransformer gives it (smooth_idf, l2), fitted on the corpus' documents.
    """
    bag = Counter(
        token_id
        for found in examples
        for token_id, special in zip(found.example.context.token_ids, found.special, strict=True)
        if not special
    )
    if counts is None or not bag or not most:
        return ()
    ids, n = np.array(sorted(bag)), np.array([bag[i] for i in sorted(bag)])
    score = n * idf(counts, ids)
    score /= np.linalg.norm(score)
    order = np.lexsort((ids, -score))[:most]
    ids, columns = ids[order], (score[order].tolist(), n[order].tolist())
    rows = zip(ids.tolist(), token_names(reading, ids), *columns, strict=True)
    return tuple(ScoredToken(*row) for row in rows)


def idf(counts: TokenCounts, ids: np.ndarray) -> np.ndarray:
    """ln((1 + D) / (1 + documents with the token)) + 1 of each token."""
    documents = looked_up(counts.documents, ids)
    return np.log((1 + counts.n_documents) / (1 + documents)) + 1


def looked_up(by_id: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """What `by_id` says of each token; 0 of those beyond its end."""
    known = ids < len(by_id)
    return np.where(known, by_id[np.where(known, ids, 0)], 0)
