"""Background callbacks in threads of this process, next to the resident model.

Same contract as Dash's DiskcacheManager, without its fork: a forked child cannot use the parent's
CUDA context. Differences: cancelling is cooperative (a job stops where it reports or pauses); equal
requests never share a result; several `set_props` between two polls are merged; a job that nobody
polls any more ends. Values lie in the cache as JSON, so nothing is ever unpickled.
"""

from __future__ import annotations

import contextvars
import functools
import json
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any

import diskcache
from dash import get_app
from dash._callback_context import context_value
from dash._get_app import app_context
from dash._utils import AttributeDict, to_json
from dash.background_callback._proxy_set_props import ProxySetProps
from dash.background_callback.managers import BaseBackgroundCallbackManager
from dash.exceptions import PreventUpdate

_NO_UPDATE = {"_dash_no_update": "_dash_no_update"}
_EXPIRE_S = 600


class JobCancelled(BaseException):
    """Nobody wants this job any more. A BaseException, so that no callback swallows it."""


class Job:
    """One call of a background callback."""

    def __init__(self, key: str, abandon_after_s: float) -> None:
        self.key = key
        self.polled_at = time.monotonic()
        self._abandon_after_s = abandon_after_s
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Make the job end at its next report or pause."""
        self._cancelled.set()

    @property
    def is_wanted(self) -> bool:
        """Whether it was not cancelled and its page still asks for it."""
        asked_lately = time.monotonic() - self.polled_at < self._abandon_after_s
        return asked_lately and not self._cancelled.is_set()

    def check(self) -> None:
        """Raise `JobCancelled` when the job is not wanted any more."""
        if not self.is_wanted:
            raise JobCancelled(self.key)

    def pause(self, seconds: float) -> None:
        """Sleep, but wake up when cancelled."""
        self._cancelled.wait(seconds)
        self.check()


_current_job: contextvars.ContextVar[Job] = contextvars.ContextVar("dash_job")


def current_job() -> Job:
    """The job that this code runs in; `LookupError` outside of a background callback."""
    return _current_job.get()


class ThreadManager(BaseBackgroundCallbackManager):
    """Runs at most `max_workers` background callbacks at once, each in a daemon thread."""

    def __init__(
        self, folder: str, *, max_workers: int = 32, abandon_after_s: float = 20.0
    ) -> None:
        self._cache = diskcache.Cache(folder, disk=diskcache.JSONDisk, disk_compress_level=1)
        self._places = threading.BoundedSemaphore(max_workers)
        self._abandon_after_s = abandon_after_s
        self._jobs: dict[str, Job] = {}
        super().__init__(cache_by=None)

    # Called by Dash when a callback is registered and when its first request arrives.

    def build_cache_key(self, *_args: Any, **_kwargs: Any) -> str:
        """A fresh key: two users with equal inputs each get their own result."""
        return uuid.uuid4().hex

    def get_or_create_signing_secret(self, generate: Callable[[], bytes]) -> bytes:
        """The secret under which handles are signed; it outlives a restart."""
        self._cache.add(self.SIGNING_SECRET_KEY, generate().hex())
        return bytes.fromhex(self._cache.get(self.SIGNING_SECRET_KEY))

    def make_job_fn(
        self, fn: Callable[..., Any], progress: bool, key: str | None = None
    ) -> tuple[Callable[..., Any], bool]:
        """What `call_job_fn` needs to know about the callback."""
        return fn, bool(progress)

    def call_job_fn(
        self, key: str, job_fn: tuple[Callable[..., Any], bool], args: Any, context: Any
    ) -> str:
        """Start the callback in a thread; the id of its job, which is the key of its result."""
        job = Job(key, self._abandon_after_s)
        self._jobs[key] = job
        call = functools.partial(self._call, job, *job_fn, args, context, get_app())
        threading.Thread(target=self._run, args=(job, call), daemon=True).start()
        return key

    def _run(self, job: Job, call: Callable[[], Any]) -> None:
        try:
            self._wait_for_place(job)
            try:
                self._put(job.key, contextvars.Context().run(call))
            finally:
                self._places.release()
        except PreventUpdate:
            self._put(job.key, _NO_UPDATE)
        except JobCancelled:
            pass
        except Exception as error:
            report = {"msg": str(error), "tb": traceback.format_exc()}
            self._put(job.key, {"background_callback_error": report})
        finally:
            self._jobs.pop(job.key, None)

    def _wait_for_place(self, job: Job) -> None:
        while not self._places.acquire(timeout=0.5):
            job.check()

    def _call(
        self,
        job: Job,
        fn: Callable[..., Any],
        has_progress: bool,
        args: Any,
        context: Any,
        app: Any,
    ) -> Any:
        """Run the callback inside its own context, as if Dash had called it."""
        app_context.set(app)
        _current_job.set(job)
        values = AttributeDict(**context)
        values.ignore_register_page = False
        values.updated_props = ProxySetProps(functools.partial(self._set_props, job))
        context_value.set(values)
        first = [functools.partial(self._set_progress, job)] if has_progress else []
        if isinstance(args, dict):
            return fn(*first, **args)
        return fn(*first, *(args if isinstance(args, (list, tuple)) else [args]))

    def _set_progress(self, job: Job, value: Any) -> None:
        job.check()
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        self._put(self._make_progress_key(job.key), values)

    def _set_props(self, job: Job, component_id: str, props: dict[str, Any]) -> None:
        job.check()
        key = self._make_set_props_key(job.key)
        with self._cache.transact():
            pending = self._get(key) or {}
            pending.setdefault(component_id, {}).update(props)
            self._put(key, pending)

    # Called by Dash for each poll, in the thread of the request.

    def get_progress(self, key: str) -> list[Any] | None:
        """The newest report since the last poll."""
        self._touch(key)
        return self._pop(self._make_progress_key(key))

    def get_updated_props(self, key: str | None) -> dict[str, Any]:
        """What `set_props` was told since the last poll."""
        return (self._pop(self._make_set_props_key(key)) or {}) if key else {}

    def get_result(self, key: str, job: str | None) -> Any:
        """The callback's return value, once; `UNDEFINED` while there is none."""
        self._touch(key)
        text = self._cache.pop(key)
        return self.UNDEFINED if text is None else json.loads(text)

    def result_ready(self, key: str) -> bool:
        """Whether the callback has returned and nobody has fetched its value."""
        return key in self._cache

    def job_running(self, job: str) -> bool:
        """Whether there will be a result, or one waits: it may arrive between two questions."""
        found = self._jobs.get(str(job))
        return (found is not None and found.is_wanted) or self.result_ready(str(job))

    def terminate_job(self, job: str | None) -> None:
        """Cancel the job; unknown ids are ignored."""
        found = self._jobs.get(str(job))
        if found is not None:
            found.cancel()

    def terminate_unhealthy_job(self, job: str) -> bool:
        """Threads do not become unhealthy."""
        return False

    def _touch(self, key: str) -> None:
        job = self._jobs.get(key)
        if job is not None:
            job.polled_at = time.monotonic()

    def _put(self, key: str, value: Any) -> None:
        self._cache.set(key, to_json(value), expire=_EXPIRE_S)

    def _get(self, key: str) -> Any:
        text = self._cache.get(key)
        return None if text is None else json.loads(text)

    def _pop(self, key: str) -> Any:
        text = self._cache.pop(key)
        return None if text is None else json.loads(text)
