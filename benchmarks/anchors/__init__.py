"""Other tools at the same task, each run in a Python environment of its own."""
