"""The ids that the callbacks of the extractions' pages name."""

from __future__ import annotations

from typing import Any

from dash import ALL


class Extractions:
    """The list of extractions."""

    VIEW = "extractions-view"
    SINK = "extractions-sink"
    ERROR = "extractions-error"
    HEAD = "extractions-head"  # which job they are of, if of one
    ITEMS = "extractions-items"
    SUMMARY = "extractions-summary"
    MORE = "extractions-more"
    CURSOR = "extractions-cursor"
    ACTIVE = "extractions-active"  # the ids of those that are not final
    TICK = "extractions-tick"
    ASKED = "extractions-asked"  # the tick at which the server was last asked
    HEARD = "extractions-heard"  # that of its last answer
    SLOW = "extractions-slow"  # ticks also while none is under way
    SEEN = "extractions-seen"  # its last tick while the page was in view


class Extraction:
    """One extraction."""

    ID = "extraction-id"
    VIEW = "extraction-view"  # what the address carries: feature, order, page
    SINK = "extraction-sink"
    ERROR = "extraction-error"
    TICK = "extraction-tick"
    ASKED = "extraction-asked-at"  # the tick at which the server was last asked
    HEARD = "extraction-heard"  # that of its last answer
    STAMP = "extraction-stamp"  # changes when there is more to be read
    HEAD = "extraction-head"
    SUMMARY = "extraction-summary"
    SUMMARY_ERROR = "extraction-summary-error"
    FIGURES = "extraction-figures"
    SPEED = "extraction-speed"
    DENSITY = "extraction-density"
    L0 = "extraction-l0"
    FEATURES = "extraction-features"
    FEATURES_ERROR = "extraction-features-error"
    FEATURE = "extraction-feature"  # the panel of the chosen feature
    FEATURE_BOX = "extraction-feature-box"
    FEATURE_ERROR = "extraction-feature-error"
    BACK = "extraction-back"
    NEXT = "extraction-next"
    PLACE = "extraction-place"  # which features of how many are shown


class New:
    """Starting an extraction."""

    SINK = "new-sink"
    FILTERS = "new-filters"
    LIST = "new-saes"
    LIST_ERROR = "new-saes-error"
    MORE = "new-saes-more"
    CHOSEN = "new-chosen"  # the names of the SAEs, in the order of choosing
    MODEL = "new-model"  # that of the SAE chosen first
    WHY = "new-why"  # how many are chosen, and why others cannot be
    CLEAR = "new-clear"
    OPTIONS = "new-options"  # the corpus and all options, as filled in
    CORPUS_FACTS = "new-corpus-facts"
    ESTIMATE = "new-estimate"
    ESTIMATE_ERROR = "new-estimate-error"
    START = "new-start"
    START_ERROR = "new-start-error"
    SUBMISSION = "new-submission"  # the request as collected in the browser, with its key


class Act:
    """What can be done with an extraction, on whichever page it is shown."""

    CHANGED = "extraction-changed"  # counts what was done
    ERROR = "extraction-act-error"
    ASKED = "extraction-asked"  # {do, id} that the open dialog asks about
    MODAL = "extraction-modal"
    QUESTION = "extraction-question"
    MODAL_ERROR = "extraction-modal-error"


def extractions_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value filters the list of extractions by `name`."""
    return {"type": "extractions-filter", "name": name}


def card(extraction: Any = ALL) -> dict[str, Any]:
    """What of a listed extraction changes while it runs."""
    return {"type": "extraction-card", "extraction": extraction}


def act(extraction: Any = ALL, do: Any = ALL) -> dict[str, Any]:
    """The button that does something with an extraction."""
    return {"type": "extraction-act", "extraction": extraction, "do": do}


def new_filter(name: Any = ALL) -> dict[str, Any]:
    """The control whose value filters the SAEs to choose from by `name`."""
    return {"type": "new-filter", "name": name}


def pick(sae: Any = ALL, model: Any = ALL) -> dict[str, Any]:
    """The box that chooses the SAE; `model` is what it reads, "" where it cannot be used."""
    return {"type": "new-pick", "sae": sae, "model": model}


def new_option(name: Any = ALL) -> dict[str, Any]:
    """The control whose value is the option `name`."""
    return {"type": "new-option", "name": name}


def feature_row(feature: Any = ALL) -> dict[str, Any]:
    """The button that shows the feature."""
    return {"type": "extraction-row", "feature": feature}


def close_feature(at: Any = ALL) -> dict[str, Any]:
    """The button that takes the panel of the feature away."""
    return {"type": "extraction-close", "at": at}


def features_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value is a field of the features' table: order, direction, search."""
    return {"type": "extraction-field", "name": name}
