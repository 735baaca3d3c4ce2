"""Which file of a store keeps it from being read: looked for once something went wrong."""

from __future__ import annotations

import fsspec
import pyarrow as pa

from services.errors import ActiscopeError
from services.store import ActivationStore, DamagedStore
from services.store.storage import open_storage

# What reading a file that is missing, cut or overwritten ends with.
SYMPTOMS = (OSError, pa.ArrowException, ValueError, IndexError)


def damage(url: str, store: ActivationStore, error: Exception) -> Exception:
    """DamagedStore that names the file; `error` itself when all files have the right size and the
    small ones among them what was written.
    """
    if isinstance(error, ActiscopeError):
        return error
    filesystem, root = fsspec.core.url_to_fs(url)
    storage = open_storage(url)
    for file in store.manifest.files():
        try:
            n_bytes = filesystem.size(f"{root.rstrip('/')}/{file.path}")
        except FileNotFoundError:
            return _damaged(store, file.path, "is missing")
        if n_bytes != file.n_bytes:
            return _damaged(store, file.path, f"has {n_bytes} bytes instead of {file.n_bytes}")
        if file.path.endswith(".parquet") and storage.digest(file.path)[1] != file.sha256:
            return _damaged(store, file.path, "has another checksum than when it was written")
    return error


def _damaged(store: ActivationStore, path: str, problem: str) -> DamagedStore:
    kind = (
        "a part: make it again from the corpus"
        if path.startswith("shards")
        else ("made from the parts: rebuild the store")
    )
    return DamagedStore(f"{path} {problem}; it is {kind}", path=path)
