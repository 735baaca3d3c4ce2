"""Preflight: a model and an SAE measured together on a stated text, and what follows from it."""

from services.sae.preflight.run import preflight

__all__ = ["preflight"]
