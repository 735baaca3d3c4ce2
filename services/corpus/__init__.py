"""Corpora: documents from files and datasets, kept once, whole and unchanged."""
