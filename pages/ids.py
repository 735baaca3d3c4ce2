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
    VERDICTS = "play-verdicts"  # what is to be known of the chosen SAEs


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


class Task:
    """Something that takes a while, followed on the page that started it."""

    ID = "task-id"  # the task that the address names
    TICK = "task-tick"
    BOX = "task-box"
    SECTION = "task-section"
    CANCEL = "task-cancel"
    ENDED = "task-ended"  # the task that was seen to be final
    ERROR = "task-error"
    SINK = "task-sink"


class Entry:
    """What can be done with a model or an SAE, on whichever page it is shown."""

    CHANGED = "entry-changed"  # counts what was done
    ERROR = "entry-error"
    DOOMED = "entry-doomed"  # {kind, id} that the open dialog asks about
    MODAL = "entry-modal"
    QUESTION = "entry-question"
    WITH_FILES = "entry-with-files"
    MODAL_ERROR = "entry-modal-error"


class Saes:
    """The list of SAEs."""

    VIEW = "saes-view"
    SINK = "saes-sink"
    ERROR = "saes-error"
    ITEMS = "saes-items"
    MORE = "saes-more"
    TICK = "saes-tick"
    STAMP = "saes-stamp"  # changes when a task has done something


class Sae:
    """One SAE."""

    ID = "sae-id"
    CONTENT = "sae-content"
    ERROR = "sae-error"


class Models:
    """The list of models, or one of them."""

    ID = "models-id"
    VIEW = "models-view"
    SINK = "models-sink"
    CONTENT = "models-content"
    ERROR = "models-error"
    ADD_ERROR = "models-add-error"
    REPO = "models-repo"
    REVISION = "models-revision"
    ADD_REPO = "models-add-repo"
    FOLDER = "models-folder"
    ASKED_REPO = "models-asked-repo"
    ASKED_FOLDER = "models-asked-folder"
    ADD_FOLDER = "models-add-folder"


class Add:
    """Adding SAEs."""

    VIEW = "add-view"  # what the address carries: source and search
    SINK = "add-sink"
    TABS = "add-tabs"
    ERROR = "add-error"
    MODEL = "add-model"
    SEARCH = "add-search"
    RESULTS = "add-results"
    ENTERED = "add-entered"  # a place that was typed into the search


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


def entry_action(kind: Any = ALL, entry: Any = ALL, do: Any = ALL) -> dict[str, Any]:
    """The button that does something with a model or an SAE."""
    return {"type": "entry-action", "kind": kind, "entry": entry, "do": do}


def saes_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value filters the list of SAEs by `name`."""
    return {"type": "saes-filter", "name": name}


def models_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value filters the list of models by `name`."""
    return {"type": "models-filter", "name": name}


def place(part: str, source: Any) -> dict[str, Any]:
    """A part of the form that adds from a repository or a folder (`source`)."""
    return {"type": f"add-{part}", "source": source}
