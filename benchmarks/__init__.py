"""Measurements of Actiscope as ratios against named anchors: `python -m benchmarks`."""
