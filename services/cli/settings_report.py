"""The effective settings, secrets masked, each with where its value comes from."""

from __future__ import annotations

import re
from typing import Any

from pydantic import SecretStr
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from services.settings import Settings

_URL_PASSWORD = re.compile(r"(://[^/@:]*:).*@|([?&]\w*password=)[^&]*")


def effective_settings(settings: Settings) -> list[dict[str, str]]:
    """Name, value and origin of every setting, in the order of the README's table."""
    environment = EnvSettingsSource(Settings)()
    dotenv = DotEnvSettingsSource(Settings)()
    report = []
    for name in Settings.model_fields:
        origin = ".env" if name in dotenv else "default"
        report.append(
            {
                "name": f"ACTISCOPE_{name.upper()}",
                "value": masked(getattr(settings, name)),
                "origin": "environment" if name in environment else origin,
            }
        )
    return report


def masked(value: Any) -> str:
    """The value as text, without secrets: tokens and the passwords in URLs."""
    if isinstance(value, SecretStr):
        return "********"
    text = "" if value is None else str(value)
    return _URL_PASSWORD.sub(_mask, text) if "://" in text else text


def _mask(match: re.Match[str]) -> str:
    in_address, in_query = match.groups()
    return f"{in_address}********@" if in_address else f"{in_query}********"
