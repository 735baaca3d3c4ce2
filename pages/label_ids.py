"""The ids that the callbacks of labels name, on the feature's page and on the labels page."""

from __future__ import annotations

from typing import Any

from dash import ALL


class Labels:
    """The labels of one feature, on its page."""

    SECTION = "labels"
    ERROR = "feature-labels-error"
    LIST = "feature-labels-list"
    FORM = "feature-label-form"  # listens to the keyboard
    FORM_BOX = "feature-label-form-box"
    FORM_ERROR = "feature-label-form-error"
    EDITED = "feature-label-edited"  # {label_id, updated_at} of the label in the form
    KEYS = "feature-label-keys"
    SAVE = "feature-label-save"
    CANCEL = "feature-label-cancel"
    SAID = "feature-label-said"  # what was just done
    SKIP_BOX = "feature-label-skip-box"
    UNSKIP_BOX = "feature-label-unskip-box"
    SKIPPED = "feature-label-skipped"  # why it is left out of the queue
    SKIP = "feature-label-skip"
    REASON = "feature-label-reason"
    UNSKIP = "feature-label-unskip"
    HISTORY = "feature-label-history"


class FeatureRuns:
    """The runs in which a feature fired, on its page."""

    SECTION = "runs"
    ERROR = "feature-runs-error"
    ITEMS = "feature-runs-items"
    ABOVE = "feature-runs-above"
    NOTHING = "feature-runs-nothing"
    MORE = "feature-runs-more"
    CURSOR = "feature-runs-cursor"
    ALL = "feature-runs-all"  # the link to the list of runs, with these filters


class LabelsPage:
    """The labels of an SAE."""

    VIEW = "labels-view"  # what the address carries
    SINK = "labels-sink"
    CHANGED = "labels-changed"  # counts what was done
    SAE = "labels-sae"
    STATUS = "labels-status"
    STATUS_ERROR = "labels-status-error"


class Queue:
    """Labelling one feature after another."""

    ITEM = "queue-item"  # {sae, feature} that is shown, and of which order
    EVIDENCE = "queue-evidence"
    BOX = "queue-box"  # the fields of the label
    EXAMPLES = "queue-examples"
    ERROR = "queue-error"
    FORM = "queue-form"
    KEYS = "queue-keys"
    SAVE = "queue-save"
    STAR = "queue-star"
    REASON = "queue-reason"
    SKIP = "queue-skip"
    LATER = "queue-later"
    SAID = "queue-said"


class LabelHistory:
    """What was done to the labels of an SAE."""

    ITEMS = "label-history-items"
    MORE = "label-history-more"
    CURSOR = "label-history-cursor"
    ERROR = "label-history-error"
    NOTHING = "label-history-nothing"
    SAID = "label-history-said"


class LabelFiles:
    """Labels as files: in and out."""

    FILE = "label-file"
    BUSY = "label-file-busy"
    LOOKED = "label-file-looked"  # what an import would do
    ERROR = "label-file-error"
    IMPORT = "label-file-import"
    DONE = "label-file-done"  # what it did


def author_field(at: Any = ALL) -> dict[str, Any]:
    """The field with the user's name; `at` says which of those on a page."""
    return {"type": "author-field", "at": at}


def label_field(at: Any, name: Any = ALL) -> dict[str, Any]:
    """The control of a label's field `name`; `at` says in which form."""
    return {"type": "label-field", "at": at, "name": name}


def label_preview(at: Any) -> dict[str, Any]:
    """The notes of a form as they will be read."""
    return {"type": "label-preview", "at": at}


def label_act(label: Any = ALL, do: Any = ALL) -> dict[str, Any]:
    """The button that does something with a label."""
    return {"type": "label-act", "label": label, "do": do}


def undo_change(change: Any = ALL, at: Any = "page") -> dict[str, Any]:
    """The button that takes a change of the history back."""
    return {"type": "label-undo", "change": change, "at": at}


def undo_batch(batch: Any = ALL) -> dict[str, Any]:
    """The button that takes a whole batch of changes back."""
    return {"type": "label-undo-batch", "batch": batch}


def undo_import(batch: Any = ALL) -> dict[str, Any]:
    """The button that takes an import back, beside its report."""
    return {"type": "label-undo-import", "batch": batch}


def labels_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value is the field `name` of the labels page's address."""
    return {"type": "labels-field", "name": name}
