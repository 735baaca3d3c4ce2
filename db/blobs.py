"""Arrays to bytes and back, without loss: timelines, tokens, postings.

Timelines and tokens are Arrow IPC streams with zstd, readable by any Arrow library. Values stay
float32 as the SAE gave them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from db.records import FiredFeatures, FloatArray, IntArray, TimelineRecord, TokenTable

_TIMELINE = pa.schema(
    [
        ("feature_ids", pa.list_(pa.field("item", pa.int32(), nullable=False))),
        ("activations", pa.list_(pa.field("item", pa.float32(), nullable=False))),
        ("l0", pa.int32()),
    ]
)
_TOKENS = pa.schema([("text", pa.string()), ("is_special", pa.bool_()), ("logprob", pa.float32())])

BUCKET_BITS = 8  # 256 features per posting
_POSTING_BYTES = 1 + 4 + 4  # low byte of the feature id, maximum, hits


def encode_timeline(timeline: TimelineRecord) -> bytes:
    """The arrays of `timeline` as an Arrow stream of one row per position.

    Raises:
        ValueError: shapes disagree, a value is not finite, or unused places are not last or not 0.
    """
    ids, values, l0 = timeline.feature_ids, timeline.activations, timeline.l0
    used = _used_places(ids, values, l0)
    offsets = np.zeros(len(ids) + 1, np.int32)
    np.cumsum(used.sum(1), out=offsets[1:])
    columns = [_lists(offsets, ids[used]), _lists(offsets, values[used]), pa.array(l0)]
    schema = _TIMELINE.with_metadata({"version": "1", "width": str(ids.shape[1])})
    return _stream(pa.record_batch([c.cast(t) for c, t in _typed(columns, schema)], schema))


def _used_places(ids: IntArray, values: FloatArray, l0: IntArray) -> np.ndarray:
    if ids.ndim != 2 or ids.shape != values.shape or l0.shape != ids.shape[:1]:
        raise ValueError(f"timeline shapes disagree: {ids.shape}, {values.shape}, {l0.shape}")
    if ids.dtype != np.int32 or values.dtype != np.float32 or l0.dtype != np.int32:
        raise ValueError("a timeline holds int32 ids and L0, and float32 activations")
    used = ids >= 0
    if (used[:, 1:] & ~used[:, :-1]).any() or values[~used].any() or (ids < -1).any():
        raise ValueError("unused places of a timeline must be last, with id -1 and activation 0")
    if not np.isfinite(values).all():
        raise ValueError("an activation is not finite")
    return used


def _lists(offsets: IntArray, values: np.ndarray) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


def _typed(columns: list[pa.Array], schema: pa.Schema) -> Iterator[tuple[pa.Array, pa.DataType]]:
    return zip(columns, schema.types, strict=True)


def decode_timeline(blob: bytes) -> tuple[IntArray, FloatArray, IntArray]:
    """feature_ids [n, m], activations [n, m] and l0 [n] as they were encoded."""
    batch = _batch(blob)
    lists = batch.column("feature_ids")
    counts = np.diff(lists.offsets.to_numpy())
    width = int(batch.schema.metadata[b"width"])
    used = np.arange(width) < counts[:, None]
    ids = np.full((len(counts), width), -1, np.int32)
    values = np.zeros((len(counts), width), np.float32)
    ids[used] = lists.flatten().to_numpy()
    values[used] = batch.column("activations").flatten().to_numpy()
    return ids, values, batch.column("l0").to_numpy().copy()


def encode_tokens(tokens: TokenTable) -> bytes:
    """`tokens` as an Arrow stream of one row per token.

    Raises:
        ValueError: lengths disagree, a text holds a lone surrogate, a logprob is infinite.
    """
    n = len(tokens.texts)
    if tokens.is_special.shape != (n,) or tokens.logprobs.shape != (n,):
        raise ValueError("texts, is_special and logprobs of a token table differ in length")
    if np.isinf(tokens.logprobs).any():
        raise ValueError("a log-probability is infinite")
    try:
        texts = pa.array(tokens.texts, pa.string())
    except UnicodeEncodeError:
        raise ValueError("lone surrogate in a token's text cannot be stored") from None
    logprobs = pa.array(tokens.logprobs, pa.float32(), from_pandas=True)  # NaN becomes null
    columns = [texts, pa.array(tokens.is_special, pa.bool_()), logprobs]
    return _stream(pa.record_batch(columns, _TOKENS))


def decode_tokens(blob: bytes) -> TokenTable:
    """The table that was encoded."""
    batch = _batch(blob)
    return TokenTable(
        tuple(batch.column("text").to_pylist()),
        batch.column("is_special").to_numpy(zero_copy_only=False),
        batch.column("logprob").to_numpy(zero_copy_only=False).astype(np.float32),
    )


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    options = ipc.IpcWriteOptions(compression="zstd")
    with ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _batch(blob: bytes) -> pa.RecordBatch:
    return ipc.open_stream(blob).read_next_batch()


def encode_postings(fired: FiredFeatures) -> Iterator[tuple[int, bytes]]:
    """(bucket, posting) for each 256 consecutive features of which one fired.

    A posting of n features is n low bytes of the ids, ascending, then n float32 maxima, then n
    uint32 hits, little-endian.

    Raises:
        ValueError: ids are negative or not ascending, or a maximum is not finite.
    """
    ids = fired.feature_ids
    if not len(ids):
        return
    if ids[0] < 0 or (np.diff(ids) <= 0).any():
        raise ValueError("feature ids of postings must ascend from 0")
    if not np.isfinite(fired.max_activation).all():
        raise ValueError("a maximum activation is not finite")
    buckets = ids >> BUCKET_BITS
    starts = np.flatnonzero(np.diff(buckets, prepend=-1))
    low = ids.astype("<u1")
    maxima, hits = fired.max_activation.astype("<f4"), fired.hits.astype("<u4")
    for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True):
        part = slice(start, stop)
        posting = low[part].tobytes() + maxima[part].tobytes() + hits[part].tobytes()
        yield int(buckets[start]), posting


def find_in_posting(posting: bytes, feature_id: int) -> tuple[float, int] | None:
    """(maximum, hits) of the feature within its bucket's `posting`; None when it did not fire."""
    n = len(posting) // _POSTING_BYTES
    i = posting.find(feature_id & (2**BUCKET_BITS - 1), 0, n)
    if i < 0:
        return None
    maximum = np.frombuffer(posting, "<f4", 1, n + 4 * i)[0]
    hits = np.frombuffer(posting, "<u4", 1, 5 * n + 4 * i)[0]
    return float(maximum), int(hits)
