"""The hub client against a hub on this machine: everything it can answer, and every way to fail."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from services.errors import (
    Busy,
    Conflict,
    Forbidden,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from services.hub import Hub, RepoFile, RepoListing, Stopped
from services.hub.redirects import followed
from tests.hub_stub import HubStub
from tests.servers import PROJECT, free_port

REPO = "owner/some-model"
WEIGHTS = random.Random(3).randbytes(3_000_000)
FILES = {
    "config.json": b'{"a": 1}',
    "weights/model.safetensors": WEIGHTS,
    "empty.txt": b"",
    "with space & ü.txt": "ü".encode(),
}
LARGE = "weights/model.safetensors"
TOKEN = "hf_secretsecretsecret"


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[HubStub]:
    with HubStub(tmp_path / "hub") as stub:
        stub.put(REPO, FILES)
        yield stub


def client(stub: HubStub, token: str | None = None, timeout_s: float = 2) -> Hub:
    return Hub(stub.url, token, offline=False, timeout_s=timeout_s, pause_s=0.01)


def read(folder: Path) -> dict[str, bytes]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if path.is_file() and name != ".partial/lock"
    }


class Told:
    """What a download reported."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.calls.append((done, total))

    def check(self, total: int) -> None:
        done = [call[0] for call in self.calls]
        assert done == sorted(done)
        assert self.calls[-1] == (total, total)
        assert {call[1] for call in self.calls} == {total}


# --- listing ------------------------------------------------------------------------------------


def test_a_listing_names_commit_sizes_and_hashes(stub: HubStub) -> None:
    listing = client(stub).listing(REPO)
    assert listing.repo_id == REPO
    assert listing.revision == stub.commit(REPO)
    assert set(listing.paths) == set(FILES)
    large = listing.file(LARGE)
    assert (large.size, large.sha256) == (len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest())
    small = listing.file("config.json")
    assert (small.size, small.sha256) == (8, None)
    assert small.git_sha1 == hashlib.sha1(b"blob 8\0" + FILES["config.json"]).hexdigest()


def test_a_listing_agrees_with_huggingface_hub(
    stub: HubStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    api = huggingface_hub.HfApi(endpoint=stub.url, token=False)
    theirs = {
        file.path: (file.size, file.lfs.sha256 if file.lfs else None)
        for file in api.list_repo_tree(REPO, recursive=True)
        if isinstance(file, huggingface_hub.hf_api.RepoFile)
    }
    assert theirs == {f.path: (f.size, f.sha256) for f in client(stub).listing(REPO).files}


def test_a_listing_of_several_pages_is_complete(tmp_path: Path) -> None:
    with HubStub(tmp_path, page_size=7) as stub:
        names = {f"layer_{i}/x.safetensors": bytes([i]) for i in range(40)}
        stub.put("owner/many", names)
        assert set(client(stub).listing("owner/many").paths) == set(names)
        assert len(stub.asked(f"tree/{stub.commit('owner/many')}")) == 12  # 40 files, 40 folders


def test_a_repository_without_owner_and_a_commit_as_revision(stub: HubStub) -> None:
    commit = stub.put("gpt2", {"config.json": b"{}"})
    assert client(stub).listing("gpt2", commit).revision == commit


@pytest.mark.parametrize(
    "repo_id",
    [
        "http://127.0.0.1/x", "https://huggingface.co/google/gemma-2-2b", "file:///etc/passwd",
        "//evil.example/x", "/etc/passwd", "..", "../x", "a/..", "a/b/c", "", " ", "a b/c",
        "169.254.169.254/", "owner/name?x=1", "owner/name#x", "owner/na%2fme", "owner\\name",
        "owner/name\n", "ownér/name", "a" * 97, "owner/name.git", "own--er/name", "-a/b",
        "user:pass@host/x", "owner/name/resolve/main/x",
    ],
)  # fmt: skip
def test_only_names_of_repositories_are_taken(stub: HubStub, repo_id: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        client(stub).listing(repo_id)
    assert "owner/name" in caught.value.message
    assert stub.requests == []


@pytest.mark.parametrize("revision", ["", "a b", "../x", "a/../b", "/x", "x\n", "a?b", "x" * 300])
def test_only_names_of_revisions_are_taken(stub: HubStub, revision: str) -> None:
    with pytest.raises(InvalidArgument, match=r"branch, a tag or a commit"):
        client(stub).listing(REPO, revision)
    assert stub.requests == []


def test_unknown_repository_revision_and_file(stub: HubStub) -> None:
    hub = client(stub)
    with pytest.raises(NotFound, match=r"no model repository 'owner/other'.*HF_TOKEN"):
        hub.listing("owner/other")
    with pytest.raises(NotFound, match=r"no revision 'v9'"):
        hub.listing(REPO, "v9")
    with pytest.raises(NotFound, match=r"no file 'confg.json'.*config.json"):
        hub.download(hub.listing(REPO), ["confg.json"], stub.folder / "out")


def test_a_file_that_vanished_from_the_hub(stub: HubStub, tmp_path: Path) -> None:
    listing = client(stub).listing(REPO)
    ghost = RepoListing(REPO, listing.revision, (RepoFile("ghost.json", 5, None),))
    with pytest.raises(NotFound, match=r"no file 'ghost.json'"):
        client(stub).download(ghost, ["ghost.json"], tmp_path / "out")


# --- download -----------------------------------------------------------------------------------


def test_a_download_is_byte_for_byte_and_counts_them(stub: HubStub, tmp_path: Path) -> None:
    hub, told = client(stub), Told()
    listing = hub.listing(REPO)
    hashes = hub.download(listing, listing.paths, tmp_path / "out", told)
    assert read(tmp_path / "out") == FILES  # and nothing else: no partial files, no lock
    assert hashes == {path: hashlib.sha256(body).hexdigest() for path, body in FILES.items()}
    told.check(sum(map(len, FILES.values())))


def test_what_is_there_is_verified_and_not_fetched_again(stub: HubStub, tmp_path: Path) -> None:
    hub, told = client(stub), Told()
    listing = hub.listing(REPO)
    hub.download(listing, listing.paths, tmp_path / "out")
    before = len(stub.requests)
    hub.download(listing, listing.paths, tmp_path / "out", told)
    assert len(stub.requests) == before
    told.check(sum(map(len, FILES.values())))


def test_a_broken_connection_is_continued_with_a_range(stub: HubStub, tmp_path: Path) -> None:
    stub.cut(LARGE, after=1_000_000, times=2)
    told = Told()
    client(stub).download(client(stub).listing(REPO), [LARGE], tmp_path / "out", told)
    assert read(tmp_path / "out") == {LARGE: WEIGHTS}
    ranges = [request.headers.get("range") for request in stub.asked(LARGE)]
    assert ranges[0] is None
    assert "bytes=1000000-" in ranges
    assert "bytes=2000000-" in ranges
    told.check(len(WEIGHTS))


def test_a_hopeless_connection_keeps_what_came_and_the_next_try_continues(
    stub: HubStub, tmp_path: Path
) -> None:
    hub = client(stub)
    listing = hub.listing(REPO)
    stub.cut(LARGE, after=700_000)
    stub.cut(LARGE, after=0, times=50)
    with pytest.raises(Unavailable, match=r"broke off the connection.*kept"):
        hub.download(listing, [LARGE], tmp_path / "out")
    assert not (tmp_path / "out" / LARGE).exists()
    stub.forgive()
    told = Told()
    Hub(stub.url, None, offline=False).download(listing, [LARGE], tmp_path / "out", told)
    assert read(tmp_path / "out") == {LARGE: WEIGHTS}
    assert stub.asked(LARGE)[-1].headers["range"] == "bytes=700000-"
    told.check(len(WEIGHTS))


def test_a_killed_process_continues_too(stub: HubStub, tmp_path: Path) -> None:
    stub.drip(LARGE, chunk=200_000, every_s=0.05)
    code = (
        "import sys; from pathlib import Path; from services.hub import Hub\n"
        f"hub = Hub({stub.url!r}, None, offline=False)\n"
        f"hub.download(hub.listing({REPO!r}), [{LARGE!r}], Path(sys.argv[1]),"
        " lambda done, total: print(done, flush=True))"
    )
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(out)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) > 1_000_000:
                process.kill()
                break
    stub.forgive()
    client(stub).download(client(stub).listing(REPO), [LARGE], out)
    assert read(out) == {LARGE: WEIGHTS}
    assert stub.asked(LARGE)[-1].headers["range"].startswith("bytes=")


def test_a_hub_that_ignores_ranges_still_completes(stub: HubStub, tmp_path: Path) -> None:
    stub.ignores_range = True
    stub.cut(LARGE, after=1_000_000)
    told = Told()
    client(stub).download(client(stub).listing(REPO), [LARGE], tmp_path / "out", told)
    assert read(tmp_path / "out") == {LARGE: WEIGHTS}
    told.check(len(WEIGHTS))


def test_a_slow_download_stops_at_once_and_continues(stub: HubStub, tmp_path: Path) -> None:
    stub.drip(LARGE, chunk=50_000, every_s=0.05)
    listing = client(stub).listing(REPO)
    stop, told = threading.Event(), Told()

    def tell(done: int, total: int) -> None:
        told(done, total)
        if done > 200_000:
            stop.set()

    with pytest.raises(Stopped):
        client(stub).download(listing, [LARGE], tmp_path / "out", tell, stop.is_set)
    assert told.calls[-1][0] < len(WEIGHTS) // 2  # not what was left, which takes seconds
    assert not (tmp_path / "out" / LARGE).exists()
    stub.forgive()
    client(stub).download(listing, [LARGE], tmp_path / "out")
    assert read(tmp_path / "out") == {LARGE: WEIGHTS}
    assert int(stub.asked(LARGE)[-1].headers["range"][6:-1]) >= 200_000


def test_a_silent_connection_is_not_waited_for(stub: HubStub, tmp_path: Path) -> None:
    listing = client(stub).listing(REPO)
    stub.stall(LARGE, for_s=60)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        client(stub, timeout_s=60).download(
            listing, [LARGE], tmp_path / "out", should_stop=stop.is_set
        )
    assert time.monotonic() - started < 20  # a third of the silence; half a second on its own


def test_the_next_download_finds_its_lock_where_it_waits_for_it(
    stub: HubStub, tmp_path: Path
) -> None:
    """What is left over goes while the folder is still this download's own."""
    partial = tmp_path / "out" / ".partial"
    partial.mkdir(parents=True)
    (partial / "left").write_bytes(b"of an older download")
    stub.drip(LARGE, chunk=200_000, every_s=0.02)
    begun, held, done = threading.Event(), threading.Event(), threading.Event()

    def next_one() -> None:
        begun.wait(30)
        with FileLock(partial / "lock", timeout=60, poll_interval=0.001):
            (partial / "theirs").write_bytes(b"half a file")
            held.set()
            done.wait(30)

    thread = threading.Thread(target=next_one)
    thread.start()
    hub = client(stub)
    hub.download(
        hub.listing(REPO), [LARGE], tmp_path / "out", lambda n, of: begun.set() if n else None
    )
    assert held.wait(30)
    there = {path.name for path in partial.iterdir()}
    done.set()
    thread.join(30)
    assert there == {"lock", "theirs"}


def test_a_truncated_file_is_an_error_and_removed(stub: HubStub, tmp_path: Path) -> None:
    stub.truncate(LARGE, to=1_500_000)
    with pytest.raises(Unavailable, match=r"another size than listed.*removed"):
        client(stub).download(client(stub).listing(REPO), [LARGE], tmp_path / "out")
    assert not [body for body in read(tmp_path / "out").values() if body]
    client(stub).download(client(stub).listing(REPO), [LARGE], tmp_path / "out")
    assert read(tmp_path / "out") == {LARGE: WEIGHTS}


@pytest.mark.parametrize("path", [LARGE, "config.json"])
def test_an_altered_file_is_an_error_and_removed(stub: HubStub, tmp_path: Path, path: str) -> None:
    stub.alter(path)
    with pytest.raises(Unavailable, match=r"hash differs.*removed"):
        client(stub).download(client(stub).listing(REPO), [path], tmp_path / "out")
    assert not [body for body in read(tmp_path / "out").values() if body]


def test_a_file_altered_on_the_disk_is_found_and_removed(stub: HubStub, tmp_path: Path) -> None:
    hub = client(stub)
    listing = hub.listing(REPO)
    hub.download(listing, [LARGE], tmp_path / "out")
    (tmp_path / "out" / LARGE).write_bytes(b"x" + WEIGHTS[1:])
    with pytest.raises(Unavailable, match=r"hash differs"):
        hub.download(listing, [LARGE], tmp_path / "out")
    hub.download(listing, [LARGE], tmp_path / "out")
    assert read(tmp_path / "out") == {LARGE: WEIGHTS}


def test_no_room_on_the_disk_is_said_before_anything_is_fetched(
    stub: HubStub, tmp_path: Path
) -> None:
    listing = client(stub).listing(REPO)
    huge = RepoFile(LARGE, 10**16, "0" * 64)
    with pytest.raises(ResourceExhausted, match=r"needs 10000000.00 GB more.*ACTISCOPE_HOME"):
        client(stub).download(
            RepoListing(REPO, listing.revision, (huge,)), [LARGE], tmp_path / "out"
        )
    assert stub.asked(LARGE) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are POSIX")
def test_a_disk_that_fills_up_meanwhile(stub: HubStub, tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from services.hub import Hub\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        f"hub = Hub({stub.url!r}, None, offline=False)\n"
        f"try: hub.download(hub.listing({REPO!r}), [{LARGE!r}], Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "ResourceExhausted weights/model.safetensors cannot be written" in done.stdout, done


@pytest.mark.parametrize(
    "path",
    ["../x", "/x", "a/../../x", "a//x", "./x", "a\\x", "x\0y", "C:x", "a\nb", "", ".partial/lock"],
)
def test_a_file_outside_of_the_folder_is_not_written(
    stub: HubStub, tmp_path: Path, path: str
) -> None:
    listing = RepoListing(REPO, stub.commit(REPO), (RepoFile(path, 1, None),))
    with pytest.raises(InvalidArgument, match=r"no such file is written"):
        client(stub).download(listing, [path], tmp_path / "out")


def test_two_downloads_into_one_folder(stub: HubStub, tmp_path: Path) -> None:
    listing = client(stub).listing(REPO)
    stub.drip(LARGE, chunk=100_000, every_s=0.05)
    started = threading.Event()
    first = threading.Thread(
        target=client(stub).download,
        args=(listing, [LARGE], tmp_path / "out", lambda done, total: done and started.set()),
    )
    first.start()
    assert started.wait(10)
    with pytest.raises(Conflict, match=r"being downloaded already"):
        client(stub).download(listing, [LARGE], tmp_path / "out")
    first.join(30)
    assert read(tmp_path / "out") == {LARGE: WEIGHTS}


# --- access -------------------------------------------------------------------------------------


def test_a_gated_repository_says_what_to_do(stub: HubStub, tmp_path: Path) -> None:
    stub.gated[REPO] = TOKEN
    hub = client(stub)
    listing = hub.listing(REPO)
    with pytest.raises(Forbidden) as caught:
        hub.download(listing, ["config.json"], tmp_path / "out")
    assert f"{stub.url}/{REPO}" in caught.value.message
    assert "HF_TOKEN" in caught.value.message
    with pytest.raises(Forbidden, match=r"account of your token"):
        client(stub, "hf_of-somebody-else").download(listing, ["config.json"], tmp_path / "out")
    client(stub, TOKEN).download(listing, ["config.json"], tmp_path / "out")


def test_a_private_repository_looks_like_none(stub: HubStub) -> None:
    stub.private[REPO] = TOKEN
    with pytest.raises(NotFound, match=r"private.*HF_TOKEN"):
        client(stub).listing(REPO)
    with pytest.raises(NotFound, match=r"your token may not see it"):
        client(stub, "hf_other").listing(REPO)
    assert client(stub, TOKEN).listing(REPO).paths


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_a_reason(stub: HubStub, status: int) -> None:
    stub.fail(f"/api/models/{REPO}", status, times=2)
    with pytest.raises(Forbidden, match=r"set ACTISCOPE_HUB_TOKEN or HF_TOKEN"):
        client(stub).listing(REPO)
    with pytest.raises(Forbidden, match=r"renew it"):
        client(stub, TOKEN).listing(REPO)


def test_the_token_goes_to_the_endpoint_only(tmp_path: Path) -> None:
    with HubStub(tmp_path / "hub") as cdn, HubStub(tmp_path / "hub", redirect_to=cdn) as stub:
        stub.put(REPO, FILES)
        hub = client(stub, TOKEN)
        hub.download(hub.listing(REPO), [LARGE, "config.json"], tmp_path / "out")
        assert read(tmp_path / "out")[LARGE] == WEIGHTS
        assert {r.headers.get("authorization") for r in stub.requests} == {f"Bearer {TOKEN}"}
        assert cdn.asked(LARGE)
        assert all("authorization" not in request.headers for request in cdn.requests)


def test_no_token_of_the_machine_is_sent_unasked(
    stub: HubStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    client(stub).listing(REPO)
    assert all("authorization" not in request.headers for request in stub.requests)


def test_the_token_is_in_no_log_and_no_error(
    stub: HubStub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hub = client(stub, TOKEN)
    stub.fail("config.json", 500, times=50)
    listing = hub.listing(REPO)
    hub.download(listing, [LARGE], tmp_path / "out")
    with pytest.raises(Unavailable) as caught:
        hub.download(listing, ["config.json"], tmp_path / "out")
    assert TOKEN not in caplog.text + str(caught.value) + repr(caught.value.details) + repr(hub)
    assert "/cdn/" not in caplog.text  # addresses of large files are signed


@pytest.mark.parametrize("token", ["a\nb", "", " ", "tök", "a\x00"])
def test_a_token_that_is_none(token: str) -> None:
    with pytest.raises(InvalidArgument, match=r"HF_TOKEN") as caught:
        Hub("https://hub.example", token, offline=False)
    assert token.strip() == "" or token not in caught.value.message


# --- failures -----------------------------------------------------------------------------------


def test_too_many_requests_say_when_to_come_back(stub: HubStub, tmp_path: Path) -> None:
    stub.fail(f"/api/models/{REPO}", 429, Retry_After="7")
    with pytest.raises(Busy, match=r"try again in 7 s") as caught:
        client(stub).listing(REPO)
    assert caught.value.retry_after_s == 7
    listing = client(stub).listing(REPO)
    stub.fail("config.json", 429, RateLimit='"api";r=0;t=42')
    with pytest.raises(Busy, match=r"42 s"):
        client(stub).download(listing, ["config.json"], tmp_path / "out")
    stub.fail("config.json", 429)
    with pytest.raises(Busy, match=r"60 s"):
        client(stub).download(listing, ["config.json"], tmp_path / "out")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_of_the_hub_is_tried_again(stub: HubStub, tmp_path: Path, status: int) -> None:
    stub.fail(f"/api/models/{REPO}", status)
    stub.fail(LARGE, status)
    client(stub).download(client(stub).listing(REPO), [LARGE], tmp_path / "out")
    assert read(tmp_path / "out") == {LARGE: WEIGHTS}


def test_a_fault_that_stays_is_said(stub: HubStub) -> None:
    stub.fail(f"/api/models/{REPO}", 503, times=99)
    with pytest.raises(Unavailable, match=r"fault of its own .503."):
        client(stub).listing(REPO)
    assert len(stub.requests) == 4


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b"{}", b"null", b'{"sha": 5}', b"[" * 100_000]
)
def test_an_endpoint_that_is_no_hub(stub: HubStub, body: bytes) -> None:
    stub.fail(f"/api/models/{REPO}", 200, body=body, Content_Type="text/html; charset=utf-8")
    with pytest.raises(Unavailable, match=r"does not answer as a model hub.*HUB_ENDPOINT"):
        client(stub).listing(REPO)


def test_a_sign_in_page_in_place_of_hub_and_file(stub: HubStub, tmp_path: Path) -> None:
    stub.html(f"/api/models/{REPO}")
    with pytest.raises(Unavailable, match=r"text/html, not JSON.*sign in"):
        client(stub).listing(REPO)
    listing = client(stub).listing(REPO)
    stub.html(LARGE)
    with pytest.raises(Unavailable, match=r"another size than listed"):
        client(stub).download(listing, [LARGE], tmp_path / "out")
    assert not (tmp_path / "out" / LARGE).exists()


def test_nobody_listens() -> None:
    with pytest.raises(Unavailable, match=r"127.0.0.1 cannot be reached.*local folder"):
        Hub(f"http://127.0.0.1:{free_port()}", None, offline=False).listing(REPO)


def test_an_unknown_host() -> None:
    with pytest.raises(Unavailable, match=r"hub.invalid is not found|hub.invalid cannot"):
        Hub("http://hub.invalid", None, offline=False).listing(REPO)


def test_a_hub_that_says_nothing(stub: HubStub) -> None:
    stub.stall(f"/api/models/{REPO}", for_s=3, times=9)
    with pytest.raises(Unavailable, match=r"does not answer in time"):
        client(stub, timeout_s=0.2).listing(REPO)


def test_offline_says_so_and_asks_nobody(stub: HubStub, tmp_path: Path) -> None:
    hub = Hub(stub.url, TOKEN, offline=True)
    with pytest.raises(Unavailable, match=r"offline mode is on.*ACTISCOPE_OFFLINE.*local folder"):
        hub.listing(REPO)
    with pytest.raises(Unavailable, match=r"offline mode is on"):
        hub.download(client(stub).listing(REPO), ["config.json"], tmp_path / "out")
    with pytest.raises(InvalidArgument):  # what is wrong with the name is said in any case
        hub.listing("http://x")


def test_the_products_own_setting_decides_about_offline(stub: HubStub) -> None:
    code = (
        "from services.hub import Hub\n"
        f"print(len(Hub({stub.url!r}, None, offline=False).listing({REPO!r}).files))"
    )
    environment = dict(os.environ, HF_HUB_OFFLINE="1")  # noqa: TID251
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.strip() == str(len(FILES)), done.stderr


# --- redirects ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data", "https://127.0.0.1/x", "https://10.0.0.1/x",
        "https://localhost/x", "https://[::1]/x", "http://8.8.4.4/x", "file:///etc/passwd",
        "gopher://8.8.4.4/x", "//192.168.1.1/x", "https://[", "https://x:99999/",
    ],
)  # fmt: skip
def test_a_hub_of_the_internet_cannot_send_us_inside(location: str) -> None:
    from services.hub.failures import BadRedirect

    with pytest.raises(BadRedirect):
        followed("https://8.8.8.8", "https://8.8.8.8/a/resolve/main/x", location)


def test_other_redirects_are_followed() -> None:
    at = "https://8.8.8.8/a/resolve/main/x"
    assert followed("https://8.8.8.8", at, "/b") == "https://8.8.8.8/b"
    assert followed("https://8.8.8.8", at, "https://8.8.4.4/c?s=1") == "https://8.8.4.4/c?s=1"
    assert followed("http://10.0.0.5", "http://10.0.0.5/x", "http://10.0.0.6/y")


def test_a_redirect_that_is_not_followed_is_an_error_of_the_product(stub: HubStub) -> None:
    stub.fail(f"/api/models/{REPO}", 302, Location="file:///etc/passwd")
    with pytest.raises(Unavailable, match=r"redirects to .*not followed"):
        client(stub).listing(REPO)
    stub.fail(f"/api/models/{REPO}", 302, times=9, Location=f"/api/models/{REPO}/revision/main")
    with pytest.raises(Unavailable, match=r"redirects without end"):
        client(stub).listing(REPO)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, services.hub\n"
        "heavy = {'torch', 'flask', 'sqlalchemy', 'huggingface_hub', 'transformers', 'dash'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
