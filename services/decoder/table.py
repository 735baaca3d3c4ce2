"""One SAE's decoder table as a Parquet file: a row per feature, read a row group at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.types.decoder import DecoderFeature, DecoderInfo

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class DecoderTable:
    """The table in `path`; columns as docs/statistics.md lists them."""

    path: Path
    info: DecoderInfo

    def feature(self, feature_id: int) -> DecoderFeature:
        """One feature's row. Raises `NotFound` where there is no such feature."""
        raise NotImplementedError

    def table(self) -> pa.Table:
        """All rows."""
        raise NotImplementedError
