"""Which file of a store keeps it from being read: looked for once something went wrong."""

from __future__ import annotations

import fsspec
import pyarrow as pa

from services.store import DamagedStore, log
from services.store.storage import open_storage

# What reading a file that is missing, cut or overwritten ends with.
SYMPTOMS = (OSError, pa.ArrowException, ValueError, IndexError)


def damage(url: str, error: Exception) -> Exception:
    """DamagedStore that names the file; `error` itself when all files have the right size and the
    small ones among them what was written.
    """
    filesystem, root = fsspec.core.url_to_fs(url)
    storage = open_storage(url)
    for file in log.newest(storage).files():
        try:
            n_bytes = filesystem.size(f"{root.rstrip('/')}/{file.path}")
        except FileNotFoundError:
            return _damaged(file.path, "is missing")
        if n_bytes != file.n_bytes:
            return _damaged(file.path, f"has {n_bytes} bytes instead of {file.n_bytes}")
        if file.path.endswith(".parquet") and storage.digest(file.path)[1] != file.sha256:
            return _damaged(file.path, "has another checksum than when it was written")
    return error


def _damaged(path: str, problem: str) -> DamagedStore:
    kind = (
        "a part: make it again from the corpus"
        if path.startswith("shards")
        else ("made from the parts: rebuild the store")
    )
    return DamagedStore(f"{path} {problem}; it is {kind}", path=path)
