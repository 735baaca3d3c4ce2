"""An extraction as code: read its store, fetch it over HTTP, do it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from services.types import ExtractionView


def extraction_code(
    view: ExtractionView, place: str, base_url: str, feature: int | None
) -> list[tuple[str, str, str]]:
    """Key, label and text of each language; `feature` is the one that is read."""
    chosen = 0 if feature is None else feature
    return [
        ("python", "Python", _python(place, chosen)),
        ("curl", "curl", _curl(view, base_url, chosen)),
        ("cli", "actiscope", _cli(view)),
    ]


def _python(place: str, feature: int) -> str:
    return f"""from services.store import ActivationStore, Selection

store = ActivationStore.open({place!r})
print(store.n_tokens, store.l0, store.complete)

found = store.feature({feature})  # .positions and .values: views of the file, nothing is copied
strong = store.page({feature}, limit=50, selection=Selection(min_value=1.0))
for position in strong.positions.tolist():
    print(position, store.context(position, width=10).token_ids)

if store.complete:
    print(store.statistics_table(["feature", "n", "token_density", "max"]).to_pandas())
"""


def _curl(view: ExtractionView, base_url: str, feature: int) -> str:
    store = f"{base_url}/api/v1/stores/{quote(view.extraction_id)}"
    commands = [
        f"# every activation of feature {feature} as an Arrow stream",
        f"curl -o feature.arrow {shlex.quote(f'{store}/activations/{feature}/arrow')}",
        "# statistics and examples of the feature",
        f"curl {shlex.quote(f'{store}/features/{feature}')}",
        "# the table of all features",
        f"curl -o features.arrow {shlex.quote(f'{store}/features?format=arrow')}",
    ]
    return "\n".join(commands) + "\n"


def _cli(view: ExtractionView) -> str:
    name = shlex.quote(view.extraction_id)
    again = ["actiscope extract", "--sae", shlex.quote(view.sae_id)]
    again += ["--corpus", shlex.quote(view.corpus_id), *_options(view.config)]
    return f"actiscope store show {name}\nactiscope store verify {name}\n\n{' '.join(again)}\n"


def _options(config: Mapping[str, Any]) -> list[str]:
    """The budget and the seed: what else was resolved is resolved again."""
    options: list[str] = []
    for name in ("max_tokens", "sample_seed"):
        value = config.get(name)
        if isinstance(value, int):
            options += [f"--{name.replace('_', '-')}", str(value)]
    return options
