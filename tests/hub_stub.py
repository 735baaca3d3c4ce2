"""A model hub on this machine: serves folders as repositories, and fails on demand.

It speaks the part of the hub's protocol that downloads need: the model's metadata, the tree in
pages, files with ETag, X-Repo-Commit, X-Linked-* and Range, and for large files (LFS) a redirect
to where they lie. `HubStub(folder)` serves each `<folder>/<owner>/<name>/` and `<folder>/<name>/`.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

_API = re.compile(
    r"/api/models/(?P<repo>[^/]+(?:/[^/]+)??)(?:/(?P<what>revision|tree)/(?P<revision>[^/]+))?"
)
_FILE = re.compile(
    r"/(?:cdn/)?(?P<repo>[^/]+(?:/[^/]+)??)/resolve/(?P<revision>[^/]+)/(?P<path>.+)"
)
_LARGE = (".safetensors", ".npz", ".bin", ".pt")  # kept in LFS, as on the hub


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    path: str  # without the query
    headers: dict[str, str]  # names in lower case


@dataclass
class _Failure:
    matches: str  # part of the request's path
    times: int
    act: Callable[[_Handler, bytes], bytes | None]  # None: it has answered itself


@dataclass
class _Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class HubStub:
    """The hub; a context manager. What it is told to do wrong counts down with `times`.

    >>> with HubStub(folder) as hub:
    ...     hub.cut("model.safetensors", after=1000)   # the connection breaks, once
    ...     Hub(hub.url, None, offline=False).listing("owner/name")
    """

    def __init__(
        self, folder: Path, *, page_size: int = 1000, redirect_to: HubStub | None = None
    ) -> None:
        self.folder = Path(folder)
        self.page_size = page_size
        self.redirect_to = redirect_to  # another host, for large files
        self.requests: list[Request] = []
        self.gated: dict[str, str] = {}  # repo id -> the token that may read it
        self.private: dict[str, str] = {}
        self.ignores_range = False
        self._failures: list[_Failure] = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HubStub:
        serve = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        serve.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    # --- what it serves ---------------------------------------------------------------------

    def put(self, repo: str, files: dict[str, bytes]) -> str:
        """Write a repository; its commit."""
        for path, content in files.items():
            target = self.folder / repo / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return self.commit(repo)

    def files(self, repo: str) -> dict[str, bytes]:
        """Path -> content."""
        root = self.folder / repo
        found = (path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(found)}

    def commit(self, repo: str) -> str:
        """The commit that stands for the repository's present content."""
        digest = hashlib.sha1(usedforsecurity=False)
        for path, content in self.files(repo).items():
            digest.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
        return digest.hexdigest()

    # --- what it does wrong -----------------------------------------------------------------

    def cut(self, path: str, after: int, times: int = 1) -> None:
        """The connection breaks `after` bytes of the body."""

        def act(handler: _Handler, body: bytes) -> None:
            handler.start(body)
            handler.wfile.write(body[:after])
            handler.hang_up()

        self._add(path, times, act)

    def drip(self, path: str, chunk: int, every_s: float, times: int = 1) -> None:
        """The body comes slowly; a client that goes away ends it."""

        def act(handler: _Handler, body: bytes) -> None:
            handler.start(body)
            for at in range(0, len(body), chunk):
                handler.wfile.write(body[at : at + chunk])
                handler.wfile.flush()
                time.sleep(every_s)

        self._add(path, times, act)

    def stall(self, path: str, for_s: float, times: int = 1) -> None:
        """No answer at all for a while, then a broken connection."""

        def act(handler: _Handler, body: bytes) -> None:
            time.sleep(for_s)
            handler.hang_up()

        self._add(path, times, act)

    def truncate(self, path: str, to: int, times: int = 1) -> None:
        """The stored file is shorter than listed, and complete as the headers say."""
        self._add(path, times, lambda handler, body: body[:to])

    def alter(self, path: str, times: int = 1) -> None:
        """One bit of the content differs."""
        self._add(path, times, lambda handler, body: bytes([body[0] ^ 1]) + body[1:])

    def fail(
        self, path: str, status: int, times: int = 1, body: bytes = b"", **headers: str
    ) -> None:
        """Answer with a status; header names with _ for -, as Retry_After="7"."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        def act(handler: _Handler, content: bytes) -> None:
            handler.answer(_Answer(status, body, named))

        self._add(path, times, act)

    def html(self, path: str, times: int = 1) -> None:
        """Answer with a web page and 200, as the login page of a proxy does."""
        page = b"<!doctype html><title>Sign in</title><p>Sign in to the network."
        self.fail(path, 200, times, page, Content_Type="text/html; charset=utf-8")

    def forgive(self) -> None:
        """Do nothing wrong any more."""
        with self._lock:
            self._failures.clear()

    def asked(self, path: str, method: str = "GET") -> list[Request]:
        """The requests whose path ends so."""
        with self._lock:
            return [r for r in self.requests if r.method == method and r.path.endswith(path)]

    def _add(self, path: str, times: int, act: Callable[[_Handler, bytes], bytes | None]) -> None:
        with self._lock:
            self._failures.append(_Failure(path, times, act))

    def _note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def _failure(self, path: str) -> _Failure | None:
        with self._lock:
            for failure in self._failures:
                if failure.times > 0 and failure.matches in path:
                    failure.times -= 1
                    return failure
        return None


class _Handler(BaseHTTPRequestHandler):
    hub: HubStub
    protocol_version = "HTTP/1.1"
    _offset = 0
    _full = 0

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub._note(Request(self.command, path, headers))
        try:
            if match := _API.fullmatch(url.path):
                self._api(match, parse_qs(url.query))
            elif match := _FILE.fullmatch(url.path):
                self._file(match, is_stored=url.path.startswith("/cdn/"))
            else:
                self.answer(_Answer(404))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # --- metadata ---------------------------------------------------------------------------

    def _api(self, match: re.Match[str], query: dict[str, list[str]]) -> None:
        repo, revision = match["repo"], unquote(match["revision"] or "main")
        if (failure := self.hub._failure(unquote(match.string))) is not None:
            failure.act(self, b"")
        elif (refused := self._refused(repo, revision)) is not None:
            self.answer(refused)
        elif match["what"] == "tree":
            self._tree(repo, revision, int(query.get("cursor", ["0"])[0]))
        else:
            self._json(self._model(repo))

    def _model(self, repo: str) -> dict[str, Any]:
        names = [{"rfilename": path} for path in self.hub.files(repo)]
        gated = "manual" if repo in self.hub.gated else False
        return {"id": repo, "modelId": repo, "sha": self.hub.commit(repo), "siblings": names,
                "private": repo in self.hub.private, "gated": gated, "tags": []}  # fmt: skip

    def _tree(self, repo: str, revision: str, cursor: int) -> None:
        entries = [_entry(path, content) for path, content in self.hub.files(repo).items()]
        folders = {str(Path(e["path"]).parent) for e in entries} - {"."}
        entries += [{"type": "directory", "path": f, "size": 0, "oid": "0" * 40} for f in folders]
        end = cursor + self.hub.page_size
        headers = {}
        if end < len(entries):
            to = f"{self.hub.url}/api/models/{repo}/tree/{revision}?recursive=true&cursor={end}"
            headers["Link"] = f'<{to}>; rel="next"'
        self._json(entries[cursor:end], headers)

    def _json(self, value: Any, headers: dict[str, str] | None = None) -> None:
        kind = {"Content-Type": "application/json; charset=utf-8"}
        self.answer(_Answer(200, json.dumps(value).encode(), kind | (headers or {})))

    def _refused(self, repo: str, revision: str, for_content: bool = False) -> _Answer | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        is_hidden = repo in self.hub.private and token != self.hub.private[repo]
        if is_hidden or not (self.hub.folder / repo).is_dir():
            status = 404 if token else 401  # as the hub does, so that nobody learns what exists
            return _error(status, "RepoNotFound", "Repository not found")
        if for_content and repo in self.hub.gated and token != self.hub.gated[repo]:
            status = 403 if token else 401
            return _error(status, "GatedRepo", f"Access to model {repo} is restricted.")
        if revision not in ("main", self.hub.commit(repo)):
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return None

    # --- files ------------------------------------------------------------------------------

    def _file(self, match: re.Match[str], is_stored: bool) -> None:
        repo, revision, path = match["repo"], unquote(match["revision"]), unquote(match["path"])
        if not is_stored:
            refused = self._refused(repo, revision, for_content=True)
            if refused is None and path not in self.hub.files(repo):
                refused = _error(404, "EntryNotFound", "Entry not found")
            if refused is not None:
                return self.answer(refused)
            if path.endswith(_LARGE):
                return self._redirect(match.string, repo, path)
        self._content(repo, path)

    def _redirect(self, path: str, repo: str, file: str) -> None:
        host = (self.hub.redirect_to or self.hub).url
        names = self._names(repo, self.hub.files(repo)[file])
        self.answer(_Answer(302, b"", names | {"Location": f"{host}/cdn{path}"}))

    def _content(self, repo: str, path: str) -> None:
        failure = self.hub._failure(f"/{repo}/{path}") if self.command == "GET" else None
        if failure is not None:
            self._wrong(failure, repo, path)
        else:
            self._send(repo, self.hub.files(repo)[path])

    def _wrong(self, failure: _Failure, repo: str, path: str) -> None:
        content = self.hub.files(repo)[path]
        offset = self._asked_offset(len(content))
        self._full, self._offset = len(content), offset
        body = failure.act(self, content[offset:])
        if body is not None:
            self._full = offset + len(body)
            self._send_body(repo, content, body)

    def _send(self, repo: str, content: bytes) -> None:
        self._full, self._offset = len(content), self._asked_offset(len(content))
        if self._offset > len(content):
            return self.answer(_Answer(416, b"", {"Content-Range": f"bytes */{len(content)}"}))
        self._send_body(repo, content, content[self._offset :])

    def _send_body(self, repo: str, content: bytes, body: bytes) -> None:
        self.start(body, self._names(repo, content))
        if self.command == "GET":
            self.wfile.write(body)

    def _asked_offset(self, size: int) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(match[1]) if match and not self.hub.ignores_range else 0

    def _names(self, repo: str, content: bytes) -> dict[str, str]:
        return {
            "X-Repo-Commit": self.hub.commit(repo),
            "X-Linked-Size": str(len(content)),
            "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Accept-Ranges": "bytes",
        }

    # --- answering --------------------------------------------------------------------------

    def start(self, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Status and headers of a body that starts where the client asked."""
        self.send_response(206 if self._offset else 200)
        if self._offset:
            span = f"bytes {self._offset}-{self._full - 1}/{self._full}"
            self.send_header("Content-Range", span)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()

    def answer(self, answer: _Answer) -> None:
        """A whole answer."""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def hang_up(self) -> None:
        """Break the connection."""
        self.wfile.flush()
        self.close_connection = True


def _entry(path: str, content: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": blob}
    if path.endswith(_LARGE):
        sha256 = hashlib.sha256(content).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\n".encode()
        entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": len(pointer)}
        entry["oid"] = hashlib.sha1(pointer, usedforsecurity=False).hexdigest()
    return entry


def _error(status: int, code: str, message: str) -> _Answer:
    body = json.dumps({"error": message}).encode()
    headers = {"X-Error-Code": code, "X-Error-Message": quote(message, safe=" :/.'"),
               "Content-Type": "application/json"}  # fmt: skip
    return _Answer(status, body, headers)
