"""What is read from headers and addresses before anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidArgument
from services.runs.queries import RowQuery, TopQuery
from services.settings import Settings
from services.web.api_runs import PREVIEW_ROWS, patience
from services.web.events import encode
from services.web.guards import body_limit, host_name
from services.web.headers import content_security_policy
from services.web.parameters import DownloadParameters
from services.web.schemas import PreviewBody
from tests import corpus


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("respond-async", 0),
        ("Respond-Async", 0),
        ("return=minimal, respond-async", 0),
        ("respond-async, wait=10", 0),
        ("wait=10", 10),
        ("wait = 5 ; strict", 5),
        ("wait=0", 0),
        ("wait=-1", None),
        ("wait=1e3", None),
        ("dont-respond-async-please", None),
    ],
)
def test_prefer_says_how_long_the_caller_waits(header: str, seconds: float | None) -> None:
    assert patience(header) == seconds


@given(st.text())
def test_any_prefer_header_is_read(header: str) -> None:
    assert patience(header) is None or patience(header) >= 0


@pytest.mark.parametrize("host", corpus.HOSTS_ACCEPTED)
def test_own_names_are_read_from_any_spelling_of_the_host(host: str) -> None:
    assert host_name(host) in Settings(_env_file=None).browser_hosts


@pytest.mark.parametrize("host", corpus.HOSTS_REFUSED)
def test_foreign_names_are_never_read_as_own(host: str) -> None:
    assert host_name(host) not in Settings(_env_file=None).browser_hosts


@given(st.text())
def test_any_host_header_is_read(host: str) -> None:
    host_name(host)


def test_the_longest_prompt_fits_a_body_however_it_is_escaped() -> None:
    settings = Settings(_env_file=None, max_prompt_chars=1_000_000)
    assert body_limit(settings) > len("\\ud83d\\ude00") * 1_000_000
    assert body_limit(Settings(_env_file=None)) == 2 * 1024 * 1024


def test_a_download_takes_the_filters_of_its_table_only() -> None:
    rows = DownloadParameters(what="rows", rank_max=3, include_special=False)
    assert rows.query() == RowQuery(rank_max=3, include_special=False)
    assert DownloadParameters(what="top-features").query() == TopQuery(n=None)
    assert DownloadParameters(what="run", format="json").query() is None
    with pytest.raises(InvalidArgument, match="rank_max"):
        DownloadParameters(what="top-features", rank_max=3).query()
    with pytest.raises(InvalidArgument, match="n"):
        DownloadParameters(what="run", format="json", n=3).query()


def test_an_event_is_one_block_whatever_the_text() -> None:
    block = encode("tokens", {"t": "a\n\ndata: x\r\u2028"}, 3)
    assert block.startswith("id: 3\nevent: tokens\ndata: ")
    assert block.endswith("\n\n")
    assert block.count("\n") == 4 and "\r" not in block


def test_the_policy_names_script_hashes_and_nothing_unsafe_for_scripts() -> None:
    policy = content_security_policy(["'sha256-abc='"])
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["script-src"] == "'self' 'sha256-abc='"
    assert directives["frame-ancestors"] == "'none'"
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("localhost", "http://localhost:1"),
        ("::1", "http://[::1]:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://127.0.0.1:1"),
        ("10.1.2.3", "http://10.1.2.3:1"),
    ],
)
def test_the_address_is_one_that_this_machine_can_open(host: str, url: str) -> None:
    settings = Settings(_env_file=None, host=host, port=1, auth_token="x" * 16)
    assert settings.base_url == url


def test_the_preview_is_described_with_its_limit() -> None:
    assert f"{PREVIEW_ROWS:,} rows" in str(PreviewBody.__doc__)
