"""However a store came about, its bytes are the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from services.errors import Conflict, InvalidArgument, ResourceExhausted
from services.store import ActivationStore, Batch, DamagedStore, StoreWriter, compact, log
from services.store.manifest import Shard
from services.store.storage import open_storage
from services.store.verify import rebuild, repair_part, require_sound, verify
from tests.made_stores import build, cuts, dense, digests, fill, part, spec


@pytest.fixture
def corpus():
    return dense(600)


@pytest.mark.parametrize("stops", [[1], [64], [200, 210, 599], list(range(0, 600, 40))])
def test_a_resumed_store(tmp_path, corpus, stops):
    build(tmp_path / "whole", corpus)
    for stop in stops:  # each writer is dropped with what it had not sealed
        fill(StoreWriter.open_for_resume(str(tmp_path / "cut"), spec()), corpus, stop=stop)
    writer = StoreWriter.open_for_resume(str(tmp_path / "cut"), spec())
    fill(writer, corpus)
    writer.finish()
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")


@pytest.mark.parametrize("batch", [1, 7, 64, 600])
def test_other_batches(tmp_path, corpus, batch):
    build(tmp_path / "a", corpus)
    writer = StoreWriter.create(str(tmp_path / "b"), spec())
    fill(writer, corpus, batch)
    writer.finish()
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_features_in_any_order_and_zeros_among_them(tmp_path, corpus):
    build(tmp_path / "a", corpus)
    writer = StoreWriter.create(str(tmp_path / "b"), spec())
    rng = np.random.default_rng(1)
    for start in range(0, 600, 50):
        batch = corpus.batch(start, start + 50)
        order = np.argsort(rng.random((50, 24)), axis=1)
        writer.append(
            Batch(
                token_ids=batch.token_ids,
                indptr=np.arange(51) * 24,
                features=order.ravel(),
                values=np.take_along_axis(corpus.values[start : start + 50], order, 1).ravel(),
                starts=batch.starts,
                documents=batch.documents,
                counted=np.ones(50, bool) & batch.counted,
            )
            if batch.counted.all()
            else batch
        )
    writer.finish()
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


@pytest.mark.parametrize("n", [2, 3, 5])
def test_several_workers(tmp_path, corpus, n):
    """All that is made of the parts is the same; the parts hold the same rows, cut elsewhere."""
    one = build(tmp_path / "one", corpus)
    names = tuple(f"w{i}" for i in range(n))
    many = build(tmp_path / "many", corpus, spec(shards=names))
    features = digests(tmp_path / "one", "features")
    assert digests(tmp_path / "many", "features") == features and len(features) > 4
    a, b = one.tokens(0, 600), many.tokens(0, 600)
    for name in ("token_ids", "starts", "counted", "indptr", "features", "values"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_workers_at_the_same_time(tmp_path, corpus):
    names = ("a", "b", "c", "d")
    of, bounds = spec(shards=names), cuts(corpus, 4)

    def work(i: int) -> None:
        writer = StoreWriter.open_for_resume(str(tmp_path / "many"), of, names[i])
        fill(writer, part(corpus, bounds[i], bounds[i + 1]))
        writer.finish()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    compact(str(tmp_path / "many"))
    build(tmp_path / "one", corpus)
    one, many = digests(tmp_path / "one", "features"), digests(tmp_path / "many", "features")
    assert one == many
    assert not verify(str(tmp_path / "many"))


class Overtaken:
    """A storage; before its n-th call another worker commits first."""

    def __init__(self, storage, n, other):
        self._storage, self._n, self._other = storage, n, other

    def __getattr__(self, name):
        if name not in ("names", "read", "put_if_absent", "remove"):
            return getattr(self._storage, name)
        self._n -= 1
        if self._n == 0:
            self._other()
        return getattr(self._storage, name)


def shards_with(name):
    def change(manifest):
        missing = () if name in [s.name for s in manifest.shards] else (Shard(name),)
        return replace(manifest, shards=(*manifest.shards, *missing))

    return change


@pytest.mark.parametrize("versions", [1, 2, 4, 5, 6])  # of which 4 are kept
@pytest.mark.parametrize("call", range(1, 7))
def test_no_change_is_lost_wherever_another_worker_overtakes(tmp_path, monkeypatch, call, versions):
    monkeypatch.setattr(log, "KEPT", 4)
    storage = open_storage(tmp_path)
    log.create(storage, spec())

    def overtake():
        for i in range(versions):
            log.commit(storage, shards_with(f"other-{i}"))

    seen = log.commit(Overtaken(storage, call, overtake), shards_with("mine"))
    assert "mine" in [shard.name for shard in seen.shards]
    log.commit(storage, shards_with("last"))
    names = {shard.name for shard in log.newest(storage).shards}
    others = {f"other-{i}" for i in range(versions)}
    assert {"mine", "last"} <= names and (call == 6 or others <= names)


def test_a_race_for_a_version_has_one_winner(tmp_path):
    storage = open_storage(tmp_path)
    won = []

    def enter(i: int) -> None:
        won.append(storage.put_if_absent("log/00000007.json", b"%d" % i * 99))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(8)))
    assert sum(won) == 1
    assert len(set(storage.read("log/00000007.json"))) == 1


def test_the_late_one_of_two_writers_of_a_shard_is_refused(tmp_path, corpus):
    late = StoreWriter.create(str(tmp_path), spec())
    fill(late, corpus, stop=50)
    early = StoreWriter.open_for_resume(str(tmp_path), spec())
    fill(early, corpus, stop=200)
    with pytest.raises(Conflict, match="another writer"):
        fill(late, corpus, stop=200)
    fill(early, corpus)
    early.finish()
    with pytest.raises(Conflict):
        late.finish()
    assert not verify(str(tmp_path))


def test_only_the_last_versions_are_kept(tmp_path, corpus, monkeypatch):
    monkeypatch.setattr(log, "KEPT", 4)
    build(tmp_path, corpus)
    assert len(list((tmp_path / "log").iterdir())) == 4
    ActivationStore.open(tmp_path)


def test_a_damaged_newest_version_falls_back_to_the_one_before(tmp_path, corpus):
    store = build(tmp_path, corpus)
    newest = sorted((tmp_path / "log").iterdir())[-1]
    newest.write_text(newest.read_text().replace("float16", "float32", 1))
    again = ActivationStore.open(tmp_path)
    assert again.complete and again.manifest.version == store.manifest.version - 1
    assert len(again.feature(0)) == len(store.feature(0))
    assert [p.path for p in verify(str(tmp_path))] == [f"log/{newest.name}"]


def test_every_damaged_file_is_named(tmp_path, corpus):
    store = build(tmp_path, corpus)
    assert not verify(str(tmp_path))
    for file in store.manifest.files():
        path = tmp_path / file.path
        content = path.read_bytes()
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 1
        for broken in (bytes(flipped), content[:-1]):
            path.write_bytes(broken)
            assert [p.path for p in verify(str(tmp_path))] == [file.path]
        path.unlink()
        with pytest.raises(DamagedStore, match="missing"):
            require_sound(str(tmp_path))
        path.write_bytes(content)
    assert not verify(str(tmp_path))


def test_feature_major_files_are_rebuilt_from_the_parts(tmp_path, corpus):
    store = build(tmp_path, corpus)
    before = digests(tmp_path, "features")
    for file in [store.manifest.generation.ranges[1].file, store.manifest.generation.features]:
        (tmp_path / file.path).write_bytes(b"broken")
    rebuild(str(tmp_path))
    assert digests(tmp_path, "features") == before
    assert not verify(str(tmp_path))


def test_a_damaged_part_is_made_again_alone(tmp_path, corpus):
    build(tmp_path, corpus)
    before = digests(tmp_path)
    (tmp_path / "shards/0/part-000002.arrow").write_bytes(b"broken")
    batches = [corpus.batch(start, start + 50) for start in range(0, 600, 50)]
    repair_part(str(tmp_path), "0", 2, batches)
    assert digests(tmp_path) == before
    corpus.values[corpus.counted] *= 2
    with pytest.raises(Conflict, match="not what was written"):
        repair_part(str(tmp_path), "0", 2, [corpus.batch(0, 600)])


def test_a_full_disk_leaves_nothing_half_written(tmp_path, corpus, monkeypatch):
    import errno

    from services.store import arrow_files

    writer = StoreWriter.create(str(tmp_path / "a"), spec())
    fill(writer, corpus, stop=100)
    whole = arrow_files.write

    def full(path, schema, batches):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(arrow_files, "write", full)
    with pytest.raises(ResourceExhausted, match="part-000001"):
        fill(writer, corpus, stop=200)
    assert not [p for p in (tmp_path / "a" / "tmp").rglob("*") if p.is_file()]
    monkeypatch.setattr(arrow_files, "write", whole)
    writer = StoreWriter.open_for_resume(str(tmp_path / "a"), spec())
    fill(writer, corpus)
    writer.finish()
    build(tmp_path / "b", corpus)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"features": np.array([24])}, "features must be 0 to 23"),
        ({"features": np.array([-1])}, "features must be 0 to 23"),
        ({"values": np.array([np.nan])}, "not finite"),
        ({"values": np.array([np.inf])}, "not finite"),
        ({"values": np.array([1e39])}, "not finite"),
        ({"values": np.array([1.0, 2.0])}, "differ in length"),
        ({"indptr": np.array([0, 2])}, "indptr"),
        ({"indptr": np.array([0, 1, 1])}, "indptr"),
        ({"indptr": np.array([0, 2]), "features": np.array([3, 3]), "values": np.ones(2)}, "twice"),
        ({"counted": np.array([False])}, "not counted"),
        ({"starts": np.array([False]), "documents": []}, "must begin a document"),
        ({"documents": []}, "one per start"),
        ({"documents": [{"name": "a", "other": 1}]}, "no column 'other'"),
        ({"documents": [{"name": "a", "year": "x"}]}, "wrong type"),
        ({"position": 5}, "begins at 5"),
        ({"token_ids": np.array([-1])}, "uint32"),
    ],
)
def test_a_wrong_batch_is_refused_and_nothing_of_it_is_kept(tmp_path, change, problem):
    good = {
        "token_ids": np.array([1]),
        "indptr": np.array([0, 1]),
        "features": np.array([3]),
        "values": np.array([1.0]),
        "starts": np.array([True]),
        "documents": [{"name": "a"}],
    }
    writer = StoreWriter.create(str(tmp_path), spec())
    with pytest.raises(InvalidArgument, match=problem):
        writer.append(Batch(**(good | change)))
    assert writer.n_tokens == 0
    writer.append(Batch(**good))


def test_another_store_at_the_same_place_is_refused(tmp_path, corpus):
    build(tmp_path, corpus)
    with pytest.raises(Conflict, match="another store"):
        StoreWriter.open_for_resume(str(tmp_path), spec(model_id="other"))
    with pytest.raises(Conflict, match="begun"):
        StoreWriter.create(str(tmp_path), spec())
    with pytest.raises(Conflict, match="finished"):
        StoreWriter.open_for_resume(str(tmp_path), spec()).append(corpus.batch(0, 5))


def test_a_store_is_compacted_only_when_all_shards_are_finished(tmp_path, corpus):
    writer = StoreWriter.create(str(tmp_path), spec(shards=("a", "b")), "a")
    fill(writer, corpus)
    writer.finish()
    with pytest.raises(Conflict, match="shard b is not finished"):
        compact(str(tmp_path))
