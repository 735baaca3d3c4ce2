"""sae-lens' list of pretrained SAEs, searched without importing sae-lens."""

from services.sae.directory.directory import Directory

__all__ = ["Directory"]
