"""Every id that a page's callbacks name, by page; those of the shell are in `components.ids`."""

from __future__ import annotations

from typing import Any

from dash import ALL


class Form:
    """What to run."""

    FORM = "play-form"
    MODEL = "play-model"
    SAES = "play-saes"
    PROMPT = "play-prompt"
    SYSTEM_PROMPT = "play-system-prompt"
    CHAT_TEMPLATE = "play-chat-template"
    MAX_TOKENS = "play-max-tokens"
    TEMPERATURE = "play-temperature"
    TOP_P = "play-top-p"
    TOP_K = "play-top-k"
    SEED = "play-seed"
    SAE_TOP_K = "play-sae-top-k"
    RUN = "play-run"
    STORE = "play-store"
    ERROR = "play-error"
    RECENT = "play-recent"
    SUBMISSION = "play-submission"  # the request as collected in the browser, with its id
    SAMPLING = "play-sampling"
    KEYS = "play-keys"
    RECENT_ERROR = "play-recent-error"


class Panel:
    """One run, live or finished; the same ids on the playground and on the run's own page."""

    VIEW = "run-view"  # the store that is mirrored to the URL
    FACTS = "run-facts"
    STRIP = "run-strip"
    FEATURE_CLEAR = "run-feature-clear"
    SHOW_SPECIAL = "run-show-special"
    TOP_FEATURES = "run-top-features"
    HEATMAP = "run-heatmap"
    DELTAS = "run-deltas"
    ROWS = "run-rows"
    ROWS_TOTAL = "run-rows-total"
    NOTES = "run-notes"
    RERUN = "run-rerun"
    DELETE = "run-delete"
    CODE = "run-code"
    TABS = "run-tabs"
    ERROR = "run-error"
    RUN = "run-id"  # the run of the view, changes only when the run does
    PATH = "run-path"  # the address that the view is mirrored to
    SHOWN = "run-shown"  # what is rendered: {run, final}
    FOLLOWED = "run-followed"  # what a background callback shall follow
    WATCH = "run-watch"  # the run whose watcher has ended
    ENDED = "run-ended"  # the run that just became final
    BEAT = "run-beat"  # counts the reports of the following callback
    HEARD = "run-heard"  # the beat at the last tick
    TICK = "run-tick"
    DRAWN = "run-drawn"  # the view that the strip shows
    DRAWN_FIGURES = "run-drawn-figures"  # the view that the figures show
    SINK = "run-sink"
    EMPTY = "run-empty"
    HEAD = "run-head"
    LIVE_SECTION = "run-live-section"
    LIVE = "run-live"
    PROGRESS = "run-progress"
    STOP = "run-stop"
    RESULT = "run-result"
    FEATURES = "run-features"  # all that needs features; hidden for runs without
    SAE_CHOICE = "run-sae-choice"
    PINNED = "run-pinned"
    STRIP_BOX = "run-strip-box"
    BARS_BOX = "run-bars-box"
    HEATMAP_BOX = "run-heatmap-box"
    DELTAS_BOX = "run-deltas-box"
    DOWNLOADS = "run-downloads"
    DETAILS = "run-details"
    NOTES_STATE = "run-notes-state"
    DELETE_MODAL = "run-delete-modal"


class List:
    """The list of runs."""

    VIEW = "runs-view"
    OLDER = "runs-older"
    CURSOR = "runs-cursor"
    ERROR = "runs-error"
    QUERY = "runs-query"
    ITEMS = "runs-items"
    SUMMARY = "runs-summary"
    DOOMED = "runs-doomed"  # the run that the open dialog asks about
    MODAL = "runs-modal"
    DELETED = "runs-deleted"


class Health:
    """The health page."""

    CONTENT = "health-content"
    REFRESH = "health-refresh"
    ERROR = "health-error"


def choose(field: Any = ALL) -> dict[str, Any]:
    """The control whose value is the field of the view with this name."""
    return {"type": "view-field", "field": field}


def example(index: Any = ALL) -> dict[str, Any]:
    """The button that fills in an example."""
    return {"type": "play-example", "index": index}


def filter_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value filters the list of runs by `name`."""
    return {"type": "runs-filter", "name": name}


def ask_delete(run: Any = ALL) -> dict[str, Any]:
    """The button that asks before deleting the run."""
    return {"type": "runs-delete", "run": run}


def notes_of(run: Any) -> dict[str, Any]:
    """The notes of a run in the list."""
    return {"type": "runs-notes", "run": run}


def notes_state(run: Any) -> dict[str, Any]:
    """Where the list says that notes were kept."""
    return {"type": "runs-notes-state", "run": run}
