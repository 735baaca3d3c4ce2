"""The command line's entry and its edge: every error is one line, or the one error shape."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from services.cli.commands import db, doctor, serve
from services.cli.corpora import corpus
from services.cli.decoder import decoder
from services.cli.extract import extract
from services.cli.extractions import extractions
from services.cli.jobs import jobs
from services.cli.labels import labels
from services.cli.models import model
from services.cli.overview import overview
from services.cli.run import run
from services.cli.runs import runs
from services.cli.saes import sae
from services.cli.stores import store
from services.cli.text import printable
from services.errors import ActiscopeError, Internal, InvalidArgument

log = logging.getLogger(__name__)

FAILURE, USAGE = 1, 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="actiscope")
def cli() -> None:
    """See which SAE features fire while a language model reads and writes."""


for _command in (
    serve,
    run,
    runs,
    model,
    sae,
    corpus,
    extract,
    extractions,
    jobs,
    labels,
    store,
    overview,
    decoder,
    doctor,
    db,
):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 used wrongly."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        sys.exit(cli.main(given, prog_name="actiscope", standalone_mode=False) or 0)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.UsageError as error:
        _fail(InvalidArgument(error.format_message()), as_json, USAGE)
    except click.ClickException as error:
        _fail(InvalidArgument(error.format_message()), as_json, FAILURE)
    except (click.Abort, KeyboardInterrupt):
        _fail(InvalidArgument("interrupted"), as_json, FAILURE)
    except BrokenPipeError:  # the reader, `head` for example, has enough
        sys.stderr.close()
        sys.exit(FAILURE)
    except ActiscopeError as error:
        _fail(error, as_json, FAILURE)
    except Exception as error:
        log.debug("unexpected", exc_info=error)
        _fail(Internal(f"{type(error).__name__}: {error}"), as_json, FAILURE)


def _fail(error: ActiscopeError, as_json: bool, exit_code: int) -> NoReturn:
    if as_json:
        click.echo(json.dumps(error.as_json(), default=str))
    else:
        click.echo(f"error: {printable(error.message, newline=' ')}", err=True)
    sys.exit(exit_code)
