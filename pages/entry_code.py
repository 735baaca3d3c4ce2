"""An SAE as code: how to add, measure and read it from the command line and over REST."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from services.types import SaeCard


def sae_code(card: SaeCard, base_url: str) -> list[tuple[str, str, str]]:
    """Key, label and text of each language."""
    return [("cli", "actiscope", _cli(card)), ("curl", "curl", _curl(card, base_url))]


def as_json(values: Mapping[str, Any]) -> str:
    """Values as a reader likes them."""
    return json.dumps(dict(values), indent=2, ensure_ascii=False, default=str)


def addition(card: SaeCard) -> dict[str, Any] | None:
    """The request that adds the SAE on another server; None where it came from this machine."""
    if card.repo_id is None:
        return None
    return {
        "source": "huggingface",
        "repo_id": card.repo_id,
        "revision": card.repo_revision,
        "paths": [card.repo_path or ""],
        "model_id": card.info.model_id,
    }


def _cli(card: SaeCard) -> str:
    name = shlex.quote(card.info.sae_id)
    commands = [f"actiscope sae show {name}", f"actiscope sae preflight {name}"]
    again = addition(card)
    if again is not None:
        options = {"--path": again["paths"][0], "--revision": again["revision"]}
        given = [f"{option} {shlex.quote(value)}" for option, value in options.items() if value]
        commands.append(" ".join(["actiscope sae add", shlex.quote(again["repo_id"]), *given]))
    return "\n".join(commands) + "\n"


def _curl(card: SaeCard, base_url: str) -> str:
    address = f"{base_url}/api/v1/saes"
    one = f"{address}/{quote(card.info.sae_id)}"
    commands = [f"curl {shlex.quote(one)}", _post(f"{one}/preflight", {})]
    again = addition(card)
    if again is not None:
        commands.append(_post(address, again))
    return "\n\n".join(commands) + "\n"


def _post(address: str, body: Mapping[str, Any]) -> str:
    return (
        f"curl -X POST {shlex.quote(address)} \\\n  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(body))}"
    )
