"""What a store is of, and how it is cut into files: `store.json`, written once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from services.errors import InvalidArgument, Unsupported
from services.validation import invalid

FORMAT_VERSION = 1
MAX_TOKENS = 2**32  # positions are uint32

Precision = Literal["auto", "float16", "float32"]

_COLUMN_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
}
_RESERVED = {
    "document",
    "start",
    "n_tokens",
    "n_counted",
    "name",
}  # columns that documents.parquet always has
_SHARD = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes that the files depend on. Two stores are byte-identical only with the same layout."""

    part_tokens: int = 2**18  # a part is sealed with this many tokens: what a crash can cost
    part_nnz: int = 2**24  # or before the token that would bring it above this many activations
    segment_nnz: int = 2**24  # parts are transposed together once they have this many
    block_nnz: int = 2**20  # features are merged in blocks of at most this many, or one by one
    range_nnz: int = 2**26  # a feature-major file is closed with this many
    top_examples: int = 32  # positions kept with the largest values of a feature
    intervals: int = 10  # of equal width between a feature's smallest and largest value
    interval_examples: int = 5  # positions kept from each interval

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise InvalidArgument(f"layout.{name} must be at least 1", field=name)
        if self.part_nnz >= 2**31:
            raise InvalidArgument("layout.part_nnz must be below 2^31", field="part_nnz")


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """What the store holds; everything in it is recorded in `store.json`.

    `precision` is "auto" (each value within 5e-4 of itself, as float16 where that suffices for
    all), "float16" (a value that float16 cannot hold as exactly is refused) or "float32" (exact).
    `shards` are written independently, by several workers if wished; their order is the order of
    the documents. `metadata` names the columns that documents have besides their name, with types
    string, int64, float64 or bool. `provenance` is any JSON: revisions, hashes, policies.
    """

    d_sae: int
    model_id: str = ""
    sae_id: str = ""
    hook_name: str = ""
    precision: Precision = "auto"
    shards: tuple[str, ...] = ("0",)
    metadata: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    layout: Layout = field(default_factory=Layout)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if not 1 <= self.d_sae < 2**31:
            raise InvalidArgument(f"d_sae must be 1 to 2^31 - 1, not {self.d_sae}", field="d_sae")
        for name, kind in self.metadata.items():
            if kind not in _COLUMN_TYPES or name in _RESERVED or not name:
                raise InvalidArgument(
                    f"metadata column {name!r} of type {kind!r}: the types are "
                    f"{', '.join(_COLUMN_TYPES)}, the names not {', '.join(sorted(_RESERVED))}",
                    field="metadata",
                )
        for shard in self.shards:
            require_shard_name(shard)
        if not self.shards or len(set(self.shards)) < len(self.shards):
            raise InvalidArgument("shards must be one or more different names", field="shards")

    @property
    def feature_dtype(self) -> np.dtype:
        """Type of feature indices in parts: uint16 up to 65,536 features."""
        return np.dtype(np.uint16 if self.d_sae <= 2**16 else np.uint32)

    @property
    def document_fields(self) -> list[pa.Field]:
        """The columns that come with a document: its name and the metadata."""
        columns = [pa.field(name, _COLUMN_TYPES[kind]) for name, kind in self.metadata.items()]
        return [pa.field("name", pa.string()), *columns]

    def as_json(self) -> bytes:
        """The content of `store.json`."""
        return _ADAPTER.dump_json(self, indent=2) + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> StoreSpec:
        """Read `store.json`; Unsupported when it was written by a later format."""
        try:
            spec = _ADAPTER.validate_json(text)
        except ValidationError as error:
            raise invalid(error) from None
        if spec.format_version != FORMAT_VERSION:
            raise Unsupported(
                f"the store has format version {spec.format_version}, this reads {FORMAT_VERSION}"
            )
        return spec


def require_shard_name(name: str) -> None:
    """Shards are folders: letters, digits, `_` and `-` only."""
    if not _SHARD.fullmatch(name):
        raise InvalidArgument(f"{name!r} is no name of a shard: letters, digits, _ and -")


_ADAPTER = TypeAdapter(StoreSpec)
