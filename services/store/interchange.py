"""Into a store and out of it: other layouts, and Parquet for other tools."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import sparse

from services.errors import Conflict, InvalidArgument, NotFound
from services.store.batches import Batch
from services.store.loaders import ActivationLoader, neuron_folder, zarr_library
from services.store.merging import range_bounds
from services.store.parquet_files import write_parquet
from services.store.reader import ActivationStore
from services.store.scratch import Scratch
from services.store.spec import StoreSpec
from services.store.storage import open_storage
from services.store.writer import StoreWriter

_WINDOW = 2**16  # samples that are turned from feature-major to token-major at once
_SAMPLES_PER_CHUNK = 10_000  # of the transposed Zarr layout
_ROWS_PER_GROUP = 2**17  # of the Parquet export: what reading one feature decodes at least
_EXPORT = pa.schema([("feature", pa.uint32()), ("position", pa.uint32()), ("value", pa.float32())])
_ENCODINGS = {
    "feature": "DELTA_BINARY_PACKED",
    "position": "DELTA_BINARY_PACKED",
    "value": "BYTE_STREAM_SPLIT",
}


def import_activations(loader: ActivationLoader, url: str, spec: StoreSpec) -> ActivationStore:
    """Make a store of what the loader has: each sample becomes a document of one token, id 0.

    Every feature is loaded once, into a temporary file.

    Raises:
        NotFound: the loader has nothing.
        InvalidArgument: it has more features than `spec.d_sae`.
    """
    if not loader.is_available:
        raise NotFound("there are no activations to import")
    if loader.n_features > spec.d_sae:
        raise InvalidArgument(f"there are {loader.n_features} features, d_sae is {spec.d_sae}")
    writer = StoreWriter.open_for_resume(url, spec)
    if not writer.finished:
        for batch in _turned(loader, spec.d_sae, writer.n_sealed):
            writer.append(batch)
    writer.finish()
    return ActivationStore.open(url)


def _turned(loader: ActivationLoader, d_sae: int, begin: int) -> Iterator[Batch]:
    """The samples from the window around `begin` on, with the features of each."""
    indptr, positions, values = _gathered(loader, d_sae)
    first = begin // _WINDOW * _WINDOW
    for start in range(first, loader.n_samples, _WINDOW):
        stop = min(start + _WINDOW, loader.n_samples)
        cuts = [
            np.searchsorted(positions[low:high], [start, stop]) + low
            for low, high in pairwise(indptr)
        ]
        rows = np.concatenate([positions[low:high] for low, high in cuts]).astype(np.int64)
        data = np.concatenate([values[low:high] for low, high in cuts])
        ends = np.concatenate([[0], np.cumsum([high - low for low, high in cuts])])
        matrix = sparse.csc_matrix((data, rows - start, ends), shape=(stop - start, d_sae)).tocsr()
        n = stop - start
        yield Batch(
            token_ids=np.zeros(n, np.uint32),
            indptr=matrix.indptr,
            features=matrix.indices,
            values=matrix.data,
            starts=np.ones(n, bool),
            documents=[{"name": str(number)} for number in range(start, stop)],
            position=start,
        )


def _gathered(loader: ActivationLoader, d_sae: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All activations by feature, in pages of temporary files."""
    counts = np.zeros(d_sae, np.int64)
    for feature in range(loader.n_features):
        counts[feature] = len(_loaded(loader, feature)[0])
    indptr, scratch = np.concatenate([[0], np.cumsum(counts)]), Scratch()
    positions = scratch.empty(int(indptr[-1]), np.dtype(np.uint32))
    values = scratch.empty(int(indptr[-1]), np.dtype(np.float32))
    for feature, (low, high) in enumerate(pairwise(indptr)):
        if high > low:
            positions[low:high], values[low:high] = _loaded(loader, feature)
    return indptr, positions, values


def _loaded(loader: ActivationLoader, feature: int) -> tuple[np.ndarray, np.ndarray]:
    return loader.load(feature) or (np.empty(0, np.int64), np.empty(0, np.float32))


def export_neuron_acts(store: ActivationStore, folder: Path) -> None:
    """Write `neuron_0000/acts.npy` and `idxs.npy` per feature, dead ones included.

    Raises:
        Conflict: there is something at `folder`.
    """
    with _new_folder(folder) as made:
        for feature in range(store.spec.d_sae):
            found, place = store.feature(feature), made / neuron_folder(feature)
            place.mkdir()
            np.save(place / "idxs.npy", found.positions.astype(np.int64))
            np.save(place / "acts.npy", found.values.astype(np.float32))


def export_transposed_zarr(store: ActivationStore, folder: Path) -> None:
    """Write one Zarr array [features, tokens] of float32, as the transposed layout has it.

    Raises:
        Conflict: there is something at `folder`.
        Unsupported: zarr is not installed.
    """
    zarr = zarr_library()
    codecs = zarr.codecs
    compressor = codecs.BloscCodec(cname="zstd", clevel=3, shuffle=codecs.BloscShuffle.shuffle)
    with _new_folder(folder) as made:
        array = zarr.create_array(
            store=str(made),
            shape=(store.spec.d_sae, store.n_tokens),
            chunks=(1, min(_SAMPLES_PER_CHUNK, store.n_tokens)),
            dtype="float32",
            compressors=compressor,
            overwrite=True,
        )
        for feature in np.flatnonzero(store.counts()):
            found = store.feature(int(feature))
            row = np.zeros(store.n_tokens, np.float32)
            row[found.positions] = found.values
            array[int(feature), :] = row


def export_parquet(store: ActivationStore, path: Path) -> None:
    """Write all activations as rows of feature, position and value, in this order.

    Values are float32; those of a float16 store are half as many bytes of compressed file.
    """
    storage = open_storage(path.parent, "export")
    write_parquet(
        storage,
        path.name,
        _EXPORT,
        _long_tables(store),
        _ROWS_PER_GROUP,
        compression_level=6,
        use_dictionary=False,
        column_encoding=_ENCODINGS,
    )
    storage.clear_temporary()


def _long_tables(store: ActivationStore) -> Iterator[pa.Table]:
    for first, stop in range_bounds(store.counts(), 8 * _ROWS_PER_GROUP):
        yield store.table(range(first, stop)).cast(_EXPORT)


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder that appears under its name when it is complete."""
    if folder.exists():
        raise Conflict(f"{folder.name} exists already")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
