"""The command line: `actiscope serve | run | runs | model | sae | doctor | db`."""

from __future__ import annotations

from services.cli.main import main

__all__ = ["main"]
