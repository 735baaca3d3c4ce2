"""Extractions whose workers are killed, frozen, starved of disk and cut off from the database: the
stores that come out are byte for byte what an undisturbed worker makes.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.container import Container
from services.corpus.requests import AddCorpus, Packing
from services.errors import NotFound
from services.extraction.requests import ExtractionQuery, StartExtraction
from services.settings import Settings
from services.store import ActivationStore
from services.store.verify import rebuild, verify
from services.types import JobStatus, JobView
from tests import planted, tiny
from tests.made_stores import digests

PROJECT = Path(__file__).resolve().parents[2]
OTHER = "random-l1"  # a second SAE of the same job, read deeper in the model
DOCUMENTS, TIMEOUT_S = 500, 120


@dataclass
class World:
    """A data folder with a model, two SAEs and a corpus, and what an undisturbed worker makes."""

    home: Path
    corpus_id: str = ""
    expected: tuple[dict[str, str], ...] = ()
    took_s: float = 0

    def request(self) -> StartExtraction:
        return StartExtraction(
            sae_ids=(planted.SAE, OTHER),
            corpus_id=self.corpus_id,
            packing=Packing(context=64, stride=32, bos="always"),
            batch_tokens=128,  # and so many small parts
        )


class Shop:
    """One extraction of a world on a database, and workers for it."""

    def __init__(self, world: World, url: str, stack: ExitStack, log: Path) -> None:
        self.world, self.url, self.stack, self.log = world, url, stack, log
        self.container = stack.enter_context(opened(world.home, url))
        self.begin()

    def begin(self) -> None:
        """Accept a further extraction; nobody works on it yet."""
        views = self.container.extractions.start(self.world.request())
        self.ids = [view.extraction_id for view in views]
        self.job_id, self.left_at = str(views[0].job_id), 0

    def worker(self, lease_s: float = 30, **environment: str) -> subprocess.Popen[bytes]:
        """A worker that is about to take the job."""
        mine = os.environ  # noqa: TID251
        with self.log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.extraction_worker", str(self.world.home),
                 self.url, str(lease_s)],
                cwd=PROJECT, env=mine | environment, stdout=subprocess.PIPE, stderr=out,
            )  # fmt: skip
        self.stack.callback(_end, process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", self.log.read_text()[-3000:]
        return process

    def job(self) -> JobView:
        return self.container.jobs.get(self.job_id)

    def until(self, is_so: Callable[[JobView], bool]) -> JobView:
        """The job, once it is as wanted."""
        deadline = time.monotonic() + TIMEOUT_S
        while not is_so(view := self.job()):
            assert time.monotonic() < deadline, f"{view}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.01)
        return view

    def until_begun(self) -> None:
        """A worker has the job, or has done it; one that killed three workers is tried again."""
        view = self.until(lambda job: job.status is not JobStatus.QUEUED and not self.is_left(job))
        if view.error_code == "CRASHED":
            self.container.extractions.retry(self.ids[0])
            self.until_begun()

    def is_left(self, job: JobView) -> bool:
        """Whether its worker was killed, and nobody has it yet."""
        return job.status is JobStatus.RUNNING and job.attempt == self.left_at

    def succeeded(self) -> JobView:
        view = self.until(lambda job: job.status.is_final)
        assert view.status is JobStatus.SUCCEEDED, (view, self.container.jobs.log(self.job_id))
        return view

    def folders(self) -> list[Path]:
        return [self.world.home / "stores" / id for id in self.ids]

    def made(self) -> tuple[dict[str, str], ...]:
        return tuple(digests(folder) for folder in self.folders())

    def assert_sound(self) -> None:
        """Every file of the newest version of each store is complete."""
        for folder in self.folders():
            try:
                ActivationStore.open(folder)
            except NotFound:
                continue  # killed before the first version
            assert verify(str(folder)) == []

    def assert_as_undisturbed(self) -> int:
        """The same files with the same bytes; how many."""
        self.assert_sound()
        assert self.made() == self.world.expected
        for extraction_id in self.ids:
            assert self.container.extractions.get(extraction_id).is_complete
        return sum(map(len, self.world.expected))


@contextmanager
def opened(home: Path, url: str) -> Iterator[Container]:
    settings = Settings(home=home, database_url=url, preload=False, threads=1)
    with closing(Container(settings, any_folder=True)) as container:
        yield container


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    assert process.wait(10) == -signal.SIGKILL


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("world"))
    planted.save_model(made.home)
    planted.save_sae(made.home)
    hook = {"model_name": planted.MODEL, "hook_name": "blocks.1.hook_resid_post",
            "hf_hook_name": None}  # fmt: skip
    tiny.save_sae(made.home, OTHER, "topk", tiny.sae_tensors(d_sae=64), hook, k=5)
    source = made.home / "letters.jsonl"
    planted.save_corpus(source, planted.corpus(DOCUMENTS))
    with opened(made.home, f"sqlite:///{made.home / 'whole.sqlite'}") as container:
        container.jobs.work()
        adding = container.corpora.add(AddCorpus(path=str(source), text_column="text"))
        result = container.jobs.wait(adding.job_id, TIMEOUT_S).result
        made.corpus_id = result["corpus_id"]
        views = container.extractions.start(made.request())
        began = time.monotonic()
        job = container.jobs.wait(views[0].job_id, TIMEOUT_S)
        made.took_s = time.monotonic() - began
        assert job.status is JobStatus.SUCCEEDED, container.jobs.log(job.job_id)
        folders = [made.home / "stores" / view.extraction_id for view in views]
        made.expected = tuple(map(digests, folders))
    return made


@pytest.fixture
def shop(world: World, database_url: str, tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        yield Shop(world, database_url, stack, tmp_path / "workers.log")


@pytest.fixture
def on_sqlite(world: World, sqlite_url: str, tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        yield Shop(world, sqlite_url, stack, tmp_path / "workers.log")


@pytest.fixture
def on_postgres(world: World, postgres_url: str, tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        yield Shop(world, postgres_url, stack, tmp_path / "workers.log")


def test_killed_once_it_comes_out_the_same(on_sqlite: Shop) -> None:
    kill_and_resume(on_sqlite, 1)


@pytest.mark.endurance
@pytest.mark.timeout(900)
def test_killed_at_random_moments_it_comes_out_the_same(shop: Shop) -> None:
    kill_and_resume(shop, 24)


def kill_and_resume(shop: Shop, wanted: int) -> None:
    rng, kills, builds, files = random.Random(5), 0, 0, 0
    while kills < wanted:
        worker = shop.worker()
        shop.until_begun()
        if kills == 0:  # at least one dies at work
            shop.until(lambda job: job.phase == "extracting" and job.done > 0)
        time.sleep(rng.uniform(0, 0.5) * shop.world.took_s)
        is_done = shop.job().status.is_final
        kill(worker)
        shop.left_at = shop.job().attempt
        shop.assert_sound()
        if is_done:
            files, builds = files + shop.assert_as_undisturbed(), builds + 1
            shop.begin()
        else:
            kills += 1
    shop.worker()
    shop.until_begun()
    assert shop.succeeded().attempt >= 2
    files += shop.assert_as_undisturbed()
    print(f"{kills} kills and resumes in {builds + 1} extractions: {files} files identical")


@pytest.mark.endurance
@pytest.mark.timeout(900)
def test_a_worker_taken_for_dead_and_two_at_once_change_nothing(shop: Shop) -> None:
    """A frozen worker wakes while another has the job: its store is the other's."""
    lease_s = 1.0
    frozen = shop.worker(lease_s)
    shop.until(lambda job: job.phase == "extracting" and job.done > 0)
    frozen.send_signal(signal.SIGSTOP)
    shop.worker(lease_s)
    shop.until(lambda job: job.attempt == 2 and job.phase == "extracting" and job.done > 0)
    frozen.send_signal(signal.SIGCONT)
    assert shop.succeeded().attempt == 2
    shop.assert_as_undisturbed()


@pytest.mark.parametrize("begun", [False, pytest.param(True, marks=pytest.mark.endurance)])
def test_a_corpus_that_changes_underneath_is_refused_by_name(shop: Shop, begun: bool) -> None:
    if begun:
        worker = shop.worker()
        shop.until(lambda job: job.phase == "extracting" and job.done > 0)
        kill(worker)
    (file,) = (shop.world.home / "corpora" / shop.world.corpus_id).glob("documents-*.parquet")
    content = file.read_bytes()
    try:
        file.write_bytes(content[:-100] + b"x" * 100)
        shop.container.jobs.work()
        view = shop.until(lambda job: job.status.is_final)
        assert (view.status, view.error_code) == (JobStatus.FAILED, "CONFLICT")
        assert file.name in str(view.error_message)
    finally:
        file.write_bytes(content)
    shop.container.extractions.retry(shop.ids[0])
    shop.succeeded()
    shop.assert_as_undisturbed()


@pytest.mark.endurance
def test_cancelled_it_keeps_what_is_done_and_goes_on_when_retried(shop: Shop) -> None:
    worker = shop.worker()
    shop.until(lambda job: job.phase == "extracting" and job.done > 0)
    shop.container.extractions.cancel(shop.ids[0])
    view = shop.until(lambda job: job.status.is_final)
    assert view.status is JobStatus.CANCELLED
    shop.assert_sound()
    kill(worker)
    shop.container.extractions.retry(shop.ids[1])
    shop.worker()
    shop.succeeded()
    shop.assert_as_undisturbed()


@pytest.mark.endurance
@pytest.mark.postgres
@pytest.mark.parametrize("limit", [30_000, 120_000])
def test_a_full_disk_is_said_and_after_making_room_it_goes_on(
    on_postgres: Shop, limit: int
) -> None:
    """No file may grow beyond the limit: the smaller one is met while parts are written, the
    larger one while they are merged."""
    shop = on_postgres
    full = shop.worker(FILE_BYTES=str(limit))
    view = shop.until(lambda job: job.status.is_final)
    assert (view.status, view.error_code) == (JobStatus.FAILED, "RESOURCE_EXHAUSTED"), view
    assert "no space left" in str(view.error_message)
    shop.assert_sound()
    kill(full)
    shop.container.extractions.retry(shop.ids[0])
    shop.worker()
    shop.succeeded()
    shop.assert_as_undisturbed()


@pytest.mark.endurance
@pytest.mark.postgres
def test_it_waits_for_a_database_that_is_away(on_postgres: Shop, postgres_server) -> None:
    shop = on_postgres
    shop.worker()
    shop.until(lambda job: job.phase == "extracting" and job.done > 0)
    postgres_server.stop("immediate")
    time.sleep(1.5)
    postgres_server.start()
    shop.succeeded()
    shop.assert_as_undisturbed()


def test_a_damaged_file_is_named_and_made_again_alone(world: World, tmp_path: Path) -> None:
    """Feature-major files follow from the parts: nothing else is touched."""
    store = tmp_path / "store"
    shutil.copytree(_whole(world), store)
    for file in (next(store.rglob("features*.parquet")), _largest(store, "*.arrow")):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        (problem,) = verify(str(store))
        assert problem.path == str(file.relative_to(store))
        assert "checksum" in problem.problem
        rebuild(str(store))
        assert verify(str(store)) == []
    parts = {path: sha for path, sha in world.expected[0].items() if "shard" in path}
    assert parts.items() <= digests(store).items()


def _whole(world: World) -> Path:
    """The folder of the store that an undisturbed worker made."""
    folders = (world.home / "stores").iterdir()
    return next(folder for folder in folders if digests(folder) == world.expected[0])


def _largest(store: Path, pattern: str) -> Path:
    return max(store.rglob(pattern), key=lambda file: file.stat().st_size)


@pytest.mark.endurance
def test_a_command_that_is_killed_is_gone_on_with(world: World, sqlite_url: str) -> None:
    """`actiscope extract`, kill -9, `actiscope extractions retry`: the same store."""
    packing = ["--context", "64", "--stride", "32", "--bos", "always", "--batch-tokens", "128"]
    saes = ["--sae", planted.SAE, "--sae", OTHER]
    environment = {
        "ACTISCOPE_HOME": str(world.home), "ACTISCOPE_DATABASE_URL": sqlite_url,
        "ACTISCOPE_THREADS": "1",
    }  # fmt: skip

    def command(*words: str) -> subprocess.Popen[bytes]:
        mine = os.environ  # noqa: TID251
        return subprocess.Popen(
            [sys.executable, "-m", "services.cli", *words], cwd=PROJECT, env=mine | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    with opened(world.home, sqlite_url) as container:
        working = command("extract", *saes, "--corpus", world.corpus_id, *packing)
        deadline = time.monotonic() + TIMEOUT_S
        while (
            not (views := container.extractions.list(ExtractionQuery()).items) or not views[0].done
        ):
            assert time.monotonic() < deadline and working.poll() is None, working.communicate()
            time.sleep(0.05)
        working.kill()
        working.communicate()
        views = container.extractions.list(ExtractionQuery()).items
        by_sae = {view.sae_id: view.extraction_id for view in views}
        again = command("extractions", "retry", by_sae[planted.SAE], "--json")
        _, said = again.communicate(timeout=TIMEOUT_S)
        assert again.returncode == 0, said.decode()
        for sae_id, expected in zip((planted.SAE, OTHER), world.expected, strict=True):
            assert digests(world.home / "stores" / by_sae[sae_id]) == expected
            assert container.extractions.get(by_sae[sae_id]).is_complete
