"""Maps that were made: one Parquet file each, below `<home>/derived/maps/<SAE>/`.

The name of a file is a hash of the weights and of the parameters, so that another SAE under the
same id, or other options, are another map. The files of weights that are gone are removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.store.local import LocalStorage
from services.types.features import FeatureMap

_FORMAT = 1
_KEY = b"actiscope.map"


def map_id(sae_file: str, parameters: Mapping[str, Any]) -> str:
    """The id of a map of these weights with these parameters."""
    text = json.dumps([_FORMAT, sae_file, parameters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class MapFiles:
    """The maps in a folder."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "derived" / "maps"

    def get(self, sae_id: str, id: str) -> FeatureMap | None:
        """The map; None where it was not made, or its file cannot be read."""
        try:
            return _read(pq.read_table(self._path(sae_id, id)))
        except (OSError, ValueError, KeyError, TypeError):  # Arrow's errors are among these
            return None

    def keep(self, made: FeatureMap, sae_file: str) -> None:
        """Write the map, whole or not at all; what is of other weights goes."""
        path = self._path(made.sae_id, made.map_id)
        about = {
            "format": _FORMAT, "map_id": made.map_id, "sae_id": made.sae_id,
            "sae_file": sae_file, "method": made.method, "explained": made.explained,
            "parameters": dict(made.parameters),
        }  # fmt: skip
        table = pa.table(
            {
                "feature": pa.array(made.features, pa.int32()),
                "x": pa.array(made.x, pa.float32()),
                "y": pa.array(made.y, pa.float32()),
            }
        ).replace_schema_metadata({_KEY: json.dumps(about)})
        with LocalStorage(path.parent, "making").writing(path.name) as file:
            pq.write_table(table, file.local, compression="zstd")
        self._tidy(path, sae_file)

    def _path(self, sae_id: str, id: str) -> Path:
        return self._folder / quote(sae_id, safe="") / f"{id}.parquet"

    def _tidy(self, path: Path, sae_file: str) -> None:
        for other in path.parent.glob("*.parquet"):
            if other != path and _weights_of(other) != sae_file:
                other.unlink(missing_ok=True)


def _read(table: pa.Table) -> FeatureMap:
    about = json.loads((table.schema.metadata or {})[_KEY])
    if about["format"] != _FORMAT:
        raise ValueError("another format")
    explained = about["explained"]
    return FeatureMap(
        map_id=about["map_id"],
        sae_id=about["sae_id"],
        method=about["method"],
        features=np.asarray(table.column("feature")),
        x=np.asarray(table.column("x")),
        y=np.asarray(table.column("y")),
        explained=None if explained is None else (explained[0], explained[1]),
        parameters=about["parameters"],
    )


def _weights_of(path: Path) -> str | None:
    try:
        about = json.loads((pq.read_schema(path).metadata or {})[_KEY])
        return str(about["sae_file"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
