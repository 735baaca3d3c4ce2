"""The manifest log: numbered JSON files, each put only if absent; the newest valid one counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from services.errors import Conflict, NotFound
from services.store.errors import DamagedStore
from services.store.manifest import Manifest, Shard
from services.store.spec import StoreSpec
from services.store.storage import Storage

KEPT = 64  # older versions are removed: the newest is a whole

_FOLDER, _SPEC = "log", "store.json"
_ATTEMPTS = 1000  # lost races; each means that another worker got on


def create(storage: Storage, spec: StoreSpec) -> Manifest:
    """Write `store.json` and version 1 unless they are there with the same content.

    Raises:
        Conflict: there is another store at this place.
    """
    if not storage.put_if_absent(_SPEC, spec.as_json()) and read_spec(storage) != spec:
        raise Conflict(f"there is another store at {storage.url}", url=storage.url)
    first = Manifest(1, tuple(Shard(name) for name in spec.shards))
    if not versions(storage):
        storage.put_if_absent(_path(1), first.as_json())
    return newest(storage)


def read_spec(storage: Storage) -> StoreSpec:
    """What `store.json` says; `NotFound` when there is no store."""
    try:
        return StoreSpec.from_json(storage.read(_SPEC))
    except FileNotFoundError:
        raise NotFound(f"there is no store at {storage.url}", url=storage.url) from None


def versions(storage: Storage) -> list[int]:
    """The versions that are kept, ascending."""
    return [int(name[:-5]) for name in storage.names(_FOLDER) if name.endswith(".json")]


def newest(storage: Storage) -> Manifest:
    """The newest manifest that is what was written.

    Raises:
        NotFound: there is none.
        DamagedStore: none is valid.
    """
    return _newest_and_last(storage)[0]


def _newest_and_last(storage: Storage) -> tuple[Manifest, int]:
    """The newest valid manifest and the last number taken, as of one listing: a version that came
    later must not count as taken into account.
    """
    damaged, there = None, versions(storage)
    for version in reversed(there):
        try:
            return read(storage, version), there[-1]
        except FileNotFoundError:
            return _newest_and_last(storage)  # removed since, as others were written
        except DamagedStore as error:
            damaged = damaged or error
    raise damaged or NotFound(f"there is no store at {storage.url}", url=storage.url)


def read(storage: Storage, version: int) -> Manifest:
    """One version; FileNotFoundError when it is not kept."""
    path = _path(version)
    return Manifest.from_json(storage.read(path), path)


def commit(storage: Storage, change: Callable[[Manifest], Manifest]) -> Manifest:
    """Put `change` of the newest version as the next one; begin anew when another was faster."""
    for _ in range(_ATTEMPTS):
        before, last = _newest_and_last(storage)
        number = last + 1
        after = replace(change(before), version=number)
        if storage.put_if_absent(_path(number), after.as_json()) and _counts(storage, number):
            _forget_older(storage, number)
            return after
    raise Conflict(f"{storage.url} is changed by others all the time")


def _counts(storage: Storage, number: int) -> bool:
    """False when so many versions were written meanwhile that the number may have been taken, and
    forgotten, before: to begin anew is right in either case.
    """
    if number > versions(storage)[-1] - KEPT:
        return True
    storage.remove(_path(number))
    return False


def _forget_older(storage: Storage, number: int) -> None:
    for version in versions(storage):
        if version <= number - KEPT:
            storage.remove(_path(version))


def _path(version: int) -> str:
    return f"{_FOLDER}/{version:08d}.json"
