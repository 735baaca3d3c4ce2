"""The embedded demo: a small language model and its SAEs, and the recipe that made them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ARTEFACTS: Final = Path(__file__).resolve().parent / "artefacts"
"""Folder of the shipped demo: `models/actiscope-demo`, `saes/demo-l*-res`, model card, licences."""
