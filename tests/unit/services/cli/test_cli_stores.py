"""`actiscope store` as a user types it, on stores by id, folder and URL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from services.cli import main
from services.store import ActivationStore, StoreWriter
from tests.made_stores import build, dense, digests, fill, spec

CORPUS = dense(300)


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTISCOPE_HOME", str(tmp_path / "home"))

    def run(*arguments: str, exits: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as ended:
            main(("store", *arguments))
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == exits, f"{out}\n{err}"
        return out, err

    return run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the store with the id `one` is."""
    build(tmp_path / "home" / "stores" / "one", CORPUS)
    return tmp_path / "home" / "stores" / "one"


def test_stores_are_listed_and_shown(shell: Any, place: Path) -> None:
    writer = StoreWriter.open_for_resume(str(place.parent / "two"), spec())
    fill(writer, CORPUS, stop=200)
    broken = place.parent / "three"
    build(broken, dense(50))
    for path in (broken / "log").iterdir():
        path.write_text("{}")
    lines = shell("list")[0].splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["one", "three", "two"]
    assert "complete" in lines[1] and "manifest" in lines[2] and "filling" in lines[3]
    items = json.loads(shell("list", "--json")[0])["items"]
    assert [item["store_id"] for item in items] == ["one", "three", "two"]
    assert items[0]["nnz"] == np.count_nonzero(CORPUS.values) and items[1]["problem"]
    by_id, by_path = shell("show", "one")[0], shell("show", "./home/stores/one")[0]
    assert by_id == by_path == shell("show", f"file://{place}")[0]
    assert "source (string), year (int64)" in by_id and "none: ids only" in by_id
    assert json.loads(shell("show", "one", "--json")[0])["n_tokens"] == 300


@pytest.mark.parametrize("command", ["show", "verify", "rebuild"])
def test_a_store_that_is_not_there(shell: Any, command: str) -> None:
    for store in ("none", "./none", ".."):
        assert "no store" in shell(command, store, exits=1)[1]
    document = json.loads(shell("show", "none", "--json", exits=1)[0])
    assert document["error_code"] == "NOT_FOUND"


def test_damage_is_found_named_and_repaired(shell: Any, place: Path) -> None:
    assert shell("verify", "one")[0] == "nothing is wrong\n"
    before = digests(place, "features")
    paths = [*sorted((place / "features").rglob("*.arrow"))[:1], *place.rglob("features.parquet")]
    for path in paths:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    out = shell("verify", "one", exits=1)[0]
    for path in paths:
        assert f"{path.relative_to(place)}: has another checksum than when it was written" in out
    assert out.endswith("damaged: 2\n")
    problems = json.loads(shell("verify", str(place), "--json", exits=1)[0])["problems"]
    assert [p["path"] for p in problems] == [str(path.relative_to(place)) for path in paths]
    shell("rebuild", "one")
    assert shell("verify", "one")[0] == "nothing is wrong\n"
    after = {Path(name).name: digest for name, digest in digests(place, "features").items()}
    assert after == {Path(name).name: digest for name, digest in before.items()}


def test_out_of_a_store_and_into_another(shell: Any, place: Path, tmp_path: Path) -> None:
    store = ActivationStore.open(place)
    shell("export", "one", "all.parquet")
    table = pq.read_table("all.parquet")
    assert table.equals(store.table(range(24)).cast(table.schema))
    for layout, options in (("zarr", ()), ("neuron-acts", ("--samples", "300"))):
        shell("export", "./home/stores/one", layout, "--format", layout)
        out = shell("import", layout, f"back-{layout}", "--format", layout, *options)[0]
        assert out == f"300 samples, {store.nnz:,} activations\n"
        again = ActivationStore.open(place.parent / f"back-{layout}")
        for feature in range(24):
            np.testing.assert_array_equal(
                store.feature(feature).values, again.feature(feature).values
            )
        assert again.spec.provenance == {"imported_from": layout, "layout": layout}
        assert "exists already" in shell("export", "one", layout, exits=1)[1]
    assert "exists already" in shell("export", "one", "all.parquet", exits=1)[1]
    (tmp_path / "nothing").mkdir()
    refused = shell("import", "nothing", "x", "--format", "neuron-acts", exits=1)[1]
    assert "no activations to import" in refused
