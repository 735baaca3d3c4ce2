"""The effective settings, secrets masked, each with where its value comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from services.settings import Settings

_URL_PASSWORD = re.compile(r"(://[^/@:]*:).*@|([?&]\w*password=)[^&]*")


def effective_settings(settings: Settings) -> list[dict[str, str]]:
    """Name, value and origin of every setting, in the order of the README's table."""
    sources = {
        "environment": EnvSettingsSource(Settings)(),
        ".env": DotEnvSettingsSource(Settings)(),
    }
    return [
        {
            "name": f"ACTISCOPE_{name.upper()}",
            "value": masked(getattr(settings, name)),
            "origin": _origin(name, sources),
        }
        for name in Settings.model_fields
    ]


def _origin(name: str, sources: Mapping[str, Mapping[str, Any]]) -> str:
    """Where the value comes from; settings with further names appear under their first one."""
    keys = {name, f"ACTISCOPE_{name.upper()}"}
    return next((origin for origin, found in sources.items() if keys & found.keys()), "default")


def masked(value: Any) -> str:
    """The value as text, without secrets: tokens and the passwords in URLs."""
    if isinstance(value, SecretStr):
        return "********"
    text = "" if value is None else str(value)
    return _URL_PASSWORD.sub(_mask, text) if "://" in text else text


def _mask(match: re.Match[str]) -> str:
    in_address, in_query = match.groups()
    return f"{in_address}********@" if in_address else f"{in_query}********"
