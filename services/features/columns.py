"""The columns of the table of features: what they are called, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from services.store.features import SCALARS
from services.types.features import ColumnInfo

_Needs = Literal["store", "decoder", "query"]
_Row = tuple[str, str, str]  # name, title, definition

_STORE: Sequence[_Row] = (
    ("n", "Activations", "Counted tokens at which the feature fires"),
    ("n_documents", "Documents", "Documents with at least one activation"),
    ("token_density", "Density", "Activations ÷ counted tokens"),
    ("document_density", "Document density", "Documents it fires in ÷ all documents"),
    ("idf", "IDF", "ln(documents ÷ documents it fires in)"),
    ("sum", "Sum", "Sum of its activations"),
    ("sum_squares", "Sum of squares", "Sum of the squares of its activations"),
    ("min", "Min", "Smallest activation"),
    ("max", "Max", "Largest activation"),
    ("mean", "Mean", "Mean of its activations, zeros left out"),
    ("std", "Std", "Standard deviation of its activations, divided by n"),
    *(
        (f"p{q:02d}", f"P{q}", f"Smallest value that at least {q} % of its activations are at most")
        for q in (1, 5, 10, 25, 50, 75, 90, 95, 99)
    ),
)
_DECODER: Sequence[_Row] = (
    ("decoder_norm", "Decoder norm", "Length of its decoder direction"),
    ("encoder_cosine", "Encoder cosine", "Cosine of its encoder and decoder directions"),
    ("max_cosine", "Nearest cosine", "Cosine of its decoder direction and the nearest other one"),
    ("logit_max", "Top logit weight", "Largest logit weight of any token"),
    ("logit_min", "Bottom logit weight", "Smallest logit weight of any token"),
    ("logit_mean", "Mean logit weight", "Mean of its logit weights over the vocabulary"),
    ("logit_std", "Std of logit weights", "Standard deviation of its logit weights"),
)
_QUERY: Sequence[_Row] = (
    ("fires", "Fires", "Largest activation on the text that was asked for"),
    ("cosine", "Cosine", "Cosine of its decoder direction and that of the feature asked for"),
)


def _numbers(rows: Sequence[_Row], needs: _Needs) -> list[ColumnInfo]:
    return [ColumnInfo(name, title, "number", text, needs=needs) for name, title, text in rows]


COLUMNS: tuple[ColumnInfo, ...] = (
    ColumnInfo("feature", "Feature", "number", "Its number in the SAE"),
    ColumnInfo("starred", "Star", "flag", "Somebody starred it"),
    ColumnInfo("label", "Label", "text", "Text of the label that was chosen for it"),
    ColumnInfo("category", "Category", "text", "Category of that label"),
    ColumnInfo("source", "Source", "text", "Where that label is from"),
    ColumnInfo("confidence", "Confidence", "number", "Of that label, 0 to 1"),
    ColumnInfo("n_labels", "Labels", "number", "How many labels it has"),
    ColumnInfo("skipped", "Skipped", "text", "Why nobody should label it now"),
    ColumnInfo(
        "top_tokens",
        "Top tokens",
        "text",
        "Tokens of its 32 strongest activations, each once",
        is_sortable=False,
        needs="store",
    ),
    ColumnInfo(
        "example",
        "Example",
        "text",
        "Text around its strongest activation",
        is_sortable=False,
        needs="store",
    ),
    ColumnInfo(
        "promoted",
        "Promoted tokens",
        "text",
        "Tokens with its largest logit weights",
        is_sortable=False,
        needs="decoder",
    ),
    *_numbers(_STORE, "store"),
    *_numbers(_DECODER, "decoder"),
    *_numbers(_QUERY, "query"),
)
BY_NAME = {column.name: column for column in COLUMNS}
SORTABLE = tuple(column.name for column in COLUMNS if column.is_sortable)
NUMBERS = tuple(column.name for column in COLUMNS if column.kind == "number")
OF_STORE = tuple(name for name in SCALARS if name != "feature")
OF_DECODER = tuple(name for name, _, _ in _DECODER)
WHOLE = frozenset({"feature", "n", "n_documents", "n_labels"})  # whole numbers
