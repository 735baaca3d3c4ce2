"""The playground's use case: start a run, follow it, read it back, compare, export."""
