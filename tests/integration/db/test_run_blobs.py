"""Arrays survive their encoding without loss, checked against plain Python."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db import blobs
from db.records import FiredFeatures, TimelineRecord, TokenTable

finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
features = st.integers(0, 2**31 - 1)
rows = st.lists(
    st.dictionaries(features, finite32, max_size=6).map(lambda d: list(d.items())), max_size=8
)


def as_record(rows: list[list[tuple[int, float]]], spare: int) -> TimelineRecord:
    n, m = len(rows), max([len(row) for row in rows], default=0) + spare
    ids, values = np.full((n, m), -1, np.int32), np.zeros((n, m), np.float32)
    for i, row in enumerate(rows):
        for j, (feature_id, value) in enumerate(row):
            ids[i, j], values[i, j] = feature_id, value
    return TimelineRecord(
        sae_id="s",
        hook_name="h",
        layer=0,
        top_k=1,
        feature_ids=ids,
        activations=values,
        l0=np.arange(n, dtype=np.int32) * 1000,
    )


@settings(deadline=None)
@given(rows, st.integers(0, 3))
def test_a_timeline_is_read_back_to_the_last_bit(
    rows: list[list[tuple[int, float]]], spare: int
) -> None:
    record = as_record(rows, spare)
    ids, values, l0 = blobs.decode_timeline(blobs.encode_timeline(record))
    assert ids.shape == record.feature_ids.shape  # the number of kept places is part of it
    read = [
        [(int(i), float(v)) for i, v in zip(*row, strict=True) if i >= 0]
        for row in zip(ids, values, strict=True)
    ]
    assert repr(read) == repr(rows)  # repr tells -0.0 from 0.0
    assert l0.tolist() == record.l0.tolist()
    assert values.tobytes() == record.activations.tobytes()


def test_unused_places_in_the_middle_are_refused() -> None:
    record = as_record([[(1, 1.0), (2, 2.0)]], 1)
    ids = np.array([[1, -1, 2]], np.int32)
    with pytest.raises(ValueError, match="last"):
        blobs.encode_timeline(replace(record, feature_ids=ids))
    with pytest.raises(ValueError, match="activation 0"):
        wrong = np.array([[1, 2, 3]], np.float32)
        blobs.encode_timeline(replace(record, activations=wrong))


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_values_of_another_width_are_refused(dtype: type) -> None:
    record = as_record([[(1, 1.0)]], 0)
    with pytest.raises(ValueError, match="float32"):
        blobs.encode_timeline(replace(record, activations=record.activations.astype(dtype)))


def test_arrays_of_different_length_are_refused() -> None:
    record = as_record([[(1, 1.0)]], 0)
    with pytest.raises(ValueError, match="shapes"):
        blobs.encode_timeline(replace(record, l0=np.zeros(2, np.int32)))


def test_a_timeline_is_readable_by_any_arrow_library() -> None:
    import pyarrow as pa

    table = pa.ipc.open_stream(blobs.encode_timeline(as_record([[(5, 1.5)], []], 0))).read_all()
    assert table.to_pylist() == [
        {"feature_ids": [5], "activations": [1.5], "l0": 0},
        {"feature_ids": [], "activations": [], "l0": 1000},
    ]


text = st.text(st.characters(codec="utf-8"), max_size=5)


@settings(deadline=None)
@given(st.lists(st.tuples(text, st.booleans(), st.none() | finite32), max_size=10))
def test_tokens_are_read_back_equal(table: list[tuple[str, bool, float | None]]) -> None:
    tokens = TokenTable(
        tuple(t for t, _, _ in table),
        np.array([s for _, s, _ in table], bool),
        np.array([np.nan if p is None else p for _, _, p in table], np.float32),
    )
    read = blobs.decode_tokens(blobs.encode_tokens(tokens))
    logprobs = [None if np.isnan(p) else float(p) for p in read.logprobs]
    rows = list(zip(read.texts, read.is_special.tolist(), logprobs, strict=True))
    assert repr(rows) == repr(table)


def test_a_lone_surrogate_in_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        blobs.encode_tokens(TokenTable(("\ud800",), np.zeros(1, bool), np.zeros(1, np.float32)))


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 5000), st.tuples(finite32, st.integers(1, 2**32 - 1))))
def test_postings_find_each_feature_and_no_other(table: dict[int, tuple[float, int]]) -> None:
    ids = sorted(table)
    fired = FiredFeatures(
        "s",
        np.array(ids, np.int32),
        np.array([table[i][0] for i in ids], np.float32),
        np.array([table[i][1] for i in ids], np.uint32),
    )
    postings = dict(blobs.encode_postings(fired))
    assert sorted(postings) == sorted({i // 256 for i in ids})
    assert sum(map(len, postings.values())) == 9 * len(ids)
    for feature_id in range(5001):
        posting = postings.get(feature_id // 256, b"")
        assert blobs.find_in_posting(posting, feature_id) == table.get(feature_id)


def test_a_low_byte_inside_the_values_is_not_taken_for_a_feature() -> None:
    value = struct.unpack("<f", bytes([7, 7, 7, 7]))[0]
    fired = FiredFeatures(
        "s", np.array([3], np.int32), np.array([value], np.float32), np.array([7], np.uint32)
    )
    (_, posting), *_ = blobs.encode_postings(fired)
    assert blobs.find_in_posting(posting, 7) is None


@pytest.mark.parametrize("ids", [[3, 2], [3, 3], [-1, 2]])
def test_features_out_of_order_are_refused(ids: list[int]) -> None:
    fired = FiredFeatures(
        "s", np.array(ids, np.int32), np.ones(2, np.float32), np.ones(2, np.uint32)
    )
    with pytest.raises(ValueError, match="ascend"):
        list(blobs.encode_postings(fired))


def test_dense_arrays_give_the_features_that_fired() -> None:
    hits = np.array([0, 2, 0, 1], np.int32)
    fired = FiredFeatures.from_dense("s", np.array([0, 1.5, 0, -0.5], np.float32), hits)
    assert fired.feature_ids.tolist() == [1, 3]
    assert fired.max_activation.tolist() == [1.5, -0.5]
    assert fired.hits.tolist() == [2, 1]
