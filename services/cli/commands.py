"""`actiscope serve`, `doctor` and `db`: the server, its state, its database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from services.cli.settings_report import effective_settings
from services.cli.text import printable, table
from services.errors import Unavailable
from services.settings import read_settings

if TYPE_CHECKING:
    from services.types import Health


@click.command()
@click.option("--host", help="address to listen on, instead of ACTISCOPE_HOST")
@click.option("--port", type=int, help="port to listen on, instead of ACTISCOPE_PORT")
def serve(host: str | None, port: int | None) -> None:
    """Serve the dashboard and the REST API."""
    given = {"host": host, "port": port}
    settings = read_settings(**{k: v for k, v in given.items() if v is not None})

    from app import create_app
    from services.web.serve import serve as serve_until_stopped

    serve_until_stopped(create_app(settings).server, settings)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print the report as JSON")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Show the effective settings and whether everything can be used; exit code 1 when not.

    It only looks: nothing is made, upgraded or loaded.
    """
    from services.foundations import inspect
    from services.health import check_document

    settings = read_settings()
    report = effective_settings(settings)
    health = inspect(settings)
    if as_json:
        document = {
            "status": health.status,
            "settings": report,
            "checks": [check_document(check) for check in health.checks],
            "versions": dict(health.versions),
        }
        click.echo(json.dumps(document, default=str, ensure_ascii=False))
    else:
        click.echo(table(("SETTING", "VALUE", "FROM"), [tuple(r.values()) for r in report]) + "\n")
        _print_health(health)
    if health.status != "ok":
        context.exit(1)


@click.group()
def db() -> None:
    """The database's schema: upgrade, downgrade, current."""


@db.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the schema up to REVISION (default: the newest)."""
    from db import schema

    with _engine() as engine:
        schema.upgrade(engine, revision)
        click.echo(schema.current(engine) or "empty")


@db.command()
@click.argument("revision")
@click.option("--yes", is_flag=True, help="do not ask")
def downgrade(revision: str, yes: bool) -> None:
    """Bring the schema down to REVISION (base: empty); what newer revisions added is lost."""
    from db import schema

    if not yes:
        click.confirm(f"Downgrade to {printable(revision)}? Data may be lost.", abort=True)
    with _engine() as engine:
        schema.downgrade(engine, revision)
        click.echo(schema.current(engine) or "empty")


@db.command()
def current() -> None:
    """Print the schema's revision."""
    from db import schema

    with _our_errors():
        found = schema.peek(read_settings().effective_database_url) or "empty"
        click.echo(f"{found}{' (newest)' if found == schema.head() else ''}")


@contextmanager
def _engine() -> Iterator[Any]:
    """The configured database, opened for one command."""
    from db.engine import make_engine

    with _our_errors():
        engine = make_engine(read_settings().effective_database_url)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def _our_errors() -> Iterator[None]:
    from db.errors import DatabaseError

    try:
        yield
    except DatabaseError as error:
        raise Unavailable(str(error)) from error


def _print_health(health: Health) -> None:
    rows = [("ok" if c.ok else "FAILS", c.name, c.message) for c in health.checks]
    click.echo(table(("STATE", "PART", "WHAT"), rows) + "\n")
    click.echo(table(("LIBRARY", "VERSION"), list(health.versions.items())) + "\n")
    click.echo(health.status)
