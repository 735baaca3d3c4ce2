"""What the points of a map are coloured by: a column of the table, what people say, families."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from services.errors import InvalidArgument
from services.features.columns import BY_NAME
from services.features.table import Table
from services.maps.graph import Components
from services.types.features import MapColours
from services.types.labels import FeatureMarks

SHOWN_GROUPS = 9  # categories or families with a colour of their own; the others share one
_LOG = frozenset(
    {"n", "n_documents", "token_density", "document_density", "sum", "sum_squares", "max", "mean"}
)
_GROUPS = {"category": "Category of the label", "source": "Source of the label", "starred": "Star",
           "labelled": "Label", "family": "Family"}  # fmt: skip
_NOT_HERE = frozenset({"feature", "fires", "cosine", "starred"})

COLOURINGS: tuple[tuple[str, str], ...] = (
    *(
        (column.name, column.title)
        for column in BY_NAME.values()
        if column.kind == "number" and column.name not in _NOT_HERE
    ),
    *_GROUPS.items(),
)
"""Names and titles, in the order of the table's columns."""


def colours(table: Table, by: str, families: Callable[[], Components]) -> MapColours:
    """What each feature is coloured by.

    Raises:
        InvalidArgument: there is no such colouring.
        NotFound, Unavailable: what it needs was not made yet.
    """
    titles = dict(COLOURINGS)
    if by not in titles:
        raise InvalidArgument(
            f"{by!r} is nothing to colour by: there are {', '.join(titles)}", field="by"
        )
    n = table.basis.n_features
    if by == "family":
        return _families(families(), n)
    if by in _GROUPS:
        return _grouped(by, titles[by], _texts(table, by))
    return MapColours(by, titles[by], "number", table.known(by), is_log=by in _LOG)


def _texts(table: Table, by: str) -> Sequence[str | None]:
    """What each feature's group is called; None where it has none."""
    found: list[str | None] = [None] * table.basis.n_features
    for feature, marks in table.marks.marks.items():
        if 0 <= feature < len(found):  # labels may be left from a larger SAE of this id
            found[feature] = _group(marks, by)
    return found


def _group(marks: FeatureMarks, by: str) -> str | None:
    if by == "starred":
        return "starred" if marks.is_starred else None
    if marks.label is None:
        return None
    if by == "labelled":
        return "labelled"
    return marks.label.category if by == "category" else marks.label.source.value


def _grouped(by: str, title: str, texts: Sequence[str | None]) -> MapColours:
    """The groups with the most features have numbers of their own, from 0."""
    known = np.array([text or "" for text in texts], object)
    names, inverse, counts = np.unique(known, return_inverse=True, return_counts=True)
    order = [i for i in np.lexsort((np.arange(len(names)), -counts)).tolist() if names[i]]
    shown = order[:SHOWN_GROUPS]
    number = np.full(len(names), -1.0)
    number[shown] = np.arange(len(shown))
    groups = [str(names[i]) for i in shown]
    if len(order) > len(shown):
        number[order[SHOWN_GROUPS:]] = len(shown)
        groups.append(f"{len(order) - len(shown)} others")
    return MapColours(by, title, "group", number[inverse], tuple(groups))


def _families(found: Components, n: int) -> MapColours:
    values = np.full(n, -1.0)
    family = np.repeat(np.arange(len(found.sizes)), found.sizes)
    values[found.members] = np.minimum(family, SHOWN_GROUPS)
    groups = [f"family {i + 1}" for i in range(min(len(found.sizes), SHOWN_GROUPS))]
    if len(found.sizes) > SHOWN_GROUPS:
        groups.append(f"{len(found.sizes) - SHOWN_GROUPS:,} smaller ones")
    return MapColours("family", "Family", "group", values, tuple(groups))
