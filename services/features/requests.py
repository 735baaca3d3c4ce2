"""What may be asked of the table of features: the same for pages, REST and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from services.features.columns import NUMBERS, SORTABLE
from services.runs.queries import FeatureId, Parameters
from services.runs.request import ModelId
from services.stores.ranges import Range, parse_ranges
from services.stores.requests import StoreId
from services.text import storable
from services.types.labels import LabelSource

_MOST_IDS = 2**20
SearchField = Literal["label", "notes", "top_tokens", "example", "promoted"]
SEARCH_FIELDS: tuple[SearchField, ...] = ("label", "notes", "top_tokens", "example", "promoted")
ExportFormat = Literal["csv", "json", "arrow"]


def _listed(value: Any) -> Any:
    """`a,b` and `["a,b", "c"]`, as addresses have them, as single values."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list | tuple) and any(isinstance(item, str) for item in value):
        pieces = (piece for item in value for piece in str(item).split(","))
        return [piece.strip() for piece in pieces if piece.strip()]
    return value


def _numbers(value: Any) -> Any:
    """`3,5,10-20` as numbers."""
    listed = _listed(value)
    if isinstance(listed, list) and any(isinstance(item, str) for item in listed):
        numbers = (number for item in listed for number in _span(str(item)))
        return list(islice(numbers, _MOST_IDS + 1))  # no more than it takes to refuse them
    return listed


def _span(text: str) -> Iterator[int]:
    first, _, last = text.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()):
        raise ValueError(f"{text[:40]!r} is no number of a feature, and no range like 10-20")
    low, high = int(first), int(last or first)
    if not 0 <= high - low < _MOST_IDS:
        raise ValueError(f"{text[:40]!r} goes backwards, or is more than {_MOST_IDS} features")
    yield from range(low, high + 1)


def _known(name: str) -> str:
    if name not in SORTABLE:
        raise ValueError(f"{name[:40]!r} is no column to sort by: there are {', '.join(SORTABLE)}")
    return name


Text = Annotated[str, BeforeValidator(lambda v: storable(v) if isinstance(v, str) else v)]


class FeatureSelection(Parameters):
    """Which features, and in which order."""

    store_id: StoreId | None = Field(None, description="default: the newest that can be read")
    sort: Annotated[str, AfterValidator(_known)] = Field(
        "feature", description="a column; what is not there comes last, equal ones by number"
    )
    descending: bool = False
    text: Text | None = Field(
        None,
        max_length=500,
        description='words that must all occur, in any case; "in quotes" stays together',
    )
    search_in: Annotated[tuple[SearchField, ...], BeforeValidator(_listed)] = Field(
        SEARCH_FIELDS, min_length=1, description=f"where: of {', '.join(SEARCH_FIELDS)}"
    )
    range: str | None = Field(
        None,
        max_length=1000,
        description="bounds, separated by commas, both included: token_density:0.001..0.1,n:100..",
    )
    label: Literal["any", "labelled", "unlabelled"] = "any"
    category: Text | None = Field(None, max_length=200, description="of the chosen label, exactly")
    source: LabelSource | None = Field(None, description="of the chosen label")
    starred: bool | None = None
    skipped: bool | None = None
    dead: bool | None = Field(None, description="true: only features that never fire; false: not")
    neighbour_of: FeatureId | None = Field(
        None, description="the nearest features of this one by decoder cosine"
    )
    fires_on: Text | None = Field(
        None, max_length=5000, description="features that fire on this text, through the model"
    )
    min_fires: float | None = Field(
        None, description="… at this value or more somewhere; default: at all"
    )
    ids: Annotated[tuple[FeatureId, ...] | None, BeforeValidator(_numbers)] = Field(
        None, max_length=_MOST_IDS, description="only these: 3,5,10-20"
    )

    @field_validator("range")
    @classmethod
    def _can_be_read(cls, text: str | None) -> str | None:
        parse_ranges(text, NUMBERS)
        return text

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.fires_on is None and (self.min_fires is not None or self._asks("fires")):
            raise ValueError("min_fires and the column fires need fires_on, the text to read")
        if self.neighbour_of is None and self._asks("cosine"):
            raise ValueError("the column cosine needs neighbour_of, a feature")
        return self

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The bounds of each column."""
        return parse_ranges(self.range, NUMBERS)

    def _asks(self, column: str) -> bool:
        return self.sort == column or column in {name for name, _, _ in self.ranges}


class FeaturePart(FeatureSelection):
    """A page of them."""

    limit: int = Field(100, ge=1, le=500)
    offset: int = Field(0, ge=0, lt=2**31)
    cursor: str | None = Field(
        None, max_length=1000, description="`next_cursor` of the page before; or an offset"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.cursor is not None and self.offset:
            raise ValueError("a page begins at an offset or after a cursor, not both")
        return self


class FeatureTableQuery(FeaturePart):
    """A page of an SAE's features."""

    sae_id: ModelId
