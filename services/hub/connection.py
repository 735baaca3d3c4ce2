"""Requests to one hub, over huggingface_hub's HTTP client and with its reading of errors.

Its own downloads are not used: they keep no partial file, can be neither stopped nor watched
without a progress bar on the terminal, and wait out a rate limit instead of saying so.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from services.hub.failures import NotAHub, WrongSize, is_transient, is_unreachable
from services.hub.redirects import followed, origin

if TYPE_CHECKING:
    import httpx2

_MOST_REDIRECTS = 5
_TRIES = 4
_LARGEST_ANSWER = 64 * 2**20  # of metadata; the largest known tree page is below 1 MB
_LONGEST_ANSWER_S = 60


class Connection:
    """One hub: metadata and the content of files; sends the token nowhere else."""

    def __init__(self, endpoint: str, token: str | None, timeout_s: float, pause_s: float) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.pause_s = pause_s
        self._token = token
        self._timeout_s = timeout_s

    def json(self, path: str) -> tuple[Any, str | None]:
        """The JSON that the API answers, and the query of its next page; retries a few times."""
        for attempt in range(_TRIES):
            try:
                return self._json(path)
            except Exception as error:
                is_last = attempt == _TRIES - 1 or is_unreachable(error)
                if is_last or not is_transient(error):
                    raise
            time.sleep(self.pause_s * 2**attempt)
        raise AssertionError("unreachable")

    def chunks(self, path: str, size: int, offset: int) -> Generator[bytes]:
        """The file's content from `offset` on, as it arrives.

        Raises `WrongSize` when the hub serves another size than it listed.
        """
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self._open(self.endpoint + path, headers) as response:
            _check_size(response, size, offset)
            skip = offset if response.status_code == 200 else 0  # it did not honour the range
            for chunk in response.iter_raw():
                yield chunk[skip:]
                skip = max(0, skip - len(chunk))

    def _json(self, path: str) -> tuple[Any, str | None]:
        deadline = time.monotonic() + _LONGEST_ANSWER_S
        body = bytearray()
        with self._open(self.endpoint + path, {"Accept": "application/json"}) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _LARGEST_ANSWER or time.monotonic() > deadline:
                    raise NotAHub("the answer does not end")
            kind = response.headers.get("content-type", "")
            url = response.links.get("next", {}).get("url", "")
        try:
            query = url.partition("?")[2]  # the page's host is ours whatever the link says
            return json.loads(body), query or None
        except (ValueError, RecursionError):
            raise NotAHub(f"{kind.partition(';')[0][:60] or 'something'}, not JSON") from None

    @contextmanager
    def _open(self, url: str, headers: Mapping[str, str]) -> Generator[httpx2.Response]:
        from huggingface_hub.utils import hf_raise_for_status

        for _ in range(_MOST_REDIRECTS + 1):
            with self._client.stream(
                "GET", url, headers={**headers, **self._own_headers(url)},
                timeout=self._timeout_s, follow_redirects=False,
            ) as response:  # fmt: skip
                if not response.has_redirect_location:
                    hf_raise_for_status(response)
                    yield response
                    return
                url = followed(self.endpoint, url, response.headers["location"])
        raise NotAHub("redirects without end")

    def _own_headers(self, url: str) -> dict[str, str]:
        # Without compression: sizes and ranges are those of the file itself.
        headers = {"User-Agent": "actiscope", "Accept-Encoding": "identity"}
        if self._token and origin(url) == origin(self.endpoint):
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    @cached_property
    def _client(self) -> httpx2.Client:
        """A client of our own.

        The library's shared one is closed by whoever meets a broken connection, and refuses
        every request once HF_HUB_OFFLINE was set when the process began, even where
        ACTISCOPE_OFFLINE says otherwise.
        """
        from huggingface_hub.utils._http import default_client_factory

        client = default_client_factory()
        client.event_hooks = {}
        for name in ("httpx", "httpx2", "httpcore", "httpcore2"):
            # They log every address, and those of large files are signed.
            logging.getLogger(name).setLevel(logging.WARNING)
        return client


def _check_size(response: httpx2.Response, size: int, offset: int) -> None:
    if response.status_code == 206:
        given = response.headers.get("content-range", "")
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", given)
        is_right = span and int(span[1]) == offset and span[2] in ("*", str(size))
    else:
        given = response.headers.get("content-length", "")
        is_right = given in ("", str(size))
    if not is_right:
        raise WrongSize(given[:60])
