"""Sparse autoencoders: catalogue, formats, loading and encoding."""
