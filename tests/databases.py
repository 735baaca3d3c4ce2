"""Real databases for tests: a throw-away PostgreSQL server from the machine's binaries.

Nothing is installed, and nothing outlives the tests: the server is stopped also when they fail.
"""

from __future__ import annotations

import getpass
import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Literal

StopMode = Literal["smart", "fast", "immediate"]

_ACCOUNTS = ("postgres", "nobody")  # the server refuses to run as root
_SETTINGS = """
fsync = off
full_page_writes = off
shared_buffers = 64MB
max_connections = 200
timezone = 'Asia/Kathmandu'
"""


def postgres_binaries() -> Path | None:
    """The newest folder with `initdb`, `pg_ctl` and `postgres`; None when there is none."""
    on_path = shutil.which("initdb")
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=_major_version)
    folders = [Path(f) for f in found] + ([Path(on_path).resolve().parent] if on_path else [])
    usable = [f for f in folders if all((f / n).exists() for n in ("initdb", "pg_ctl", "postgres"))]
    return usable[-1] if usable else None


def _major_version(folder: str) -> int:
    name = Path(folder).parent.name
    return int(name) if name.isdigit() else 0


def chromium() -> Path | None:
    """A Chromium that is installed on this machine; None when there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = [path for name in names if (path := shutil.which(name))]
    return Path(found[0]) if found else None


class PostgresServer:
    """A server of its own in a temporary folder; `stop` and `start` at any time."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._account = _unprivileged_account()
        # Short: the path of a Unix socket has at most 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self._data = self._folder / "data"
        self.port = _free_port()
        self._initialise()
        self.start()

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the server's `postgres` database."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """SQLAlchemy URL of the database `name`."""
        return f"postgresql+psycopg://tests@127.0.0.1:{self.port}/{name}"

    def create_database(self) -> str:
        """A new, empty database; its SQLAlchemy URL."""
        name = f"t{uuid.uuid4().hex}"
        self._sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.database_url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database of `create_database`, whoever is connected."""
        self._sql(f'DROP DATABASE "{url.rsplit("/", 1)[1]}" WITH (FORCE)')

    def start(self) -> None:
        """Start the server and wait until it answers; nothing when it runs."""
        if not self.is_running():
            self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", self._folder / "log")

    def stop(self, mode: StopMode = "immediate") -> None:
        """Stop the server; "immediate" is what a crash looks like. Nothing when it is down."""
        if self.is_running():
            self._run("pg_ctl", "stop", "-w", "-D", self._data, "-m", mode)

    def is_running(self) -> bool:
        """Whether there is a server process."""
        status = self._run("pg_ctl", "status", "-D", self._data, check=False)
        return status.returncode == 0

    def close(self) -> None:
        """Stop the server and remove all of it."""
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _initialise(self) -> None:
        if self._account:
            shutil.chown(self._folder, self._account)
        self._run(
            *("initdb", "-D", self._data, "-U", "tests", "--auth=trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C.UTF-8"),
        )
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS)
            settings.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n")
            settings.write(f"unix_socket_directories = '{self._folder}'\n")

    def _sql(self, statement: str) -> None:
        import psycopg

        address = f"host=127.0.0.1 port={self.port} user=tests dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, *command: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        program, *arguments = map(str, command)
        log = self._folder / "commands"  # a pipe would stay open in the server
        with log.open("w") as output:
            done = subprocess.run(
                [self._binaries / program, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self._folder,
                user=self._account,
                group=pwd.getpwnam(self._account).pw_gid if self._account else None,
                extra_groups=[] if self._account else None,
            )
        if check and done.returncode:
            raise RuntimeError(f"{program} failed:\n{log.read_text()}")
        return done


def _unprivileged_account() -> str | None:
    """The account to run the server under; None for our own."""
    if os.geteuid() != 0:
        return None
    known = {account.pw_name for account in pwd.getpwall()}
    for account in _ACCOUNTS:
        if account in known:
            return account
    raise RuntimeError(f"PostgreSQL does not run as {getpass.getuser()}: add a user `postgres`")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
