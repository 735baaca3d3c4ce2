# Actiscope: `make run` serves the dashboard, `make test` runs the tests. Both set up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup run test suite unit e2e thorough faults check bench demo clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with all that is needed (once; the only step that uses the network)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: setup ## serve the dashboard on http://127.0.0.1:8050
	$(BIN)/python app.py

test: setup ## all checks and tests (those that need Chromium or PostgreSQL skip where these are missing)
	$(MAKE) --no-print-directory -j2 check suite

suite: setup # most tests wait now and then: the checks run beside them
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

unit: setup ## the quick tests only
	$(BIN)/python -m pytest tests/unit tests/pages

e2e: setup ## all tests in a real browser, also those of single components
	$(BIN)/python -m pytest -m browser tests/e2e

thorough: setup ## what make test leaves out, but for the long forms of make faults
	$(BIN)/python -m pytest -m thorough

faults: setup ## kill workers, builders and extractions at random moments, on both databases (minutes)
	$(BIN)/python -m pytest -m "endurance or thorough" tests/faults

check: setup ## style, types of the core, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## measure against the anchors; writes docs/benchmarks.md and benchmarks/results.json
	$(BIN)/python -m benchmarks

demo: setup ## train the embedded demo anew (about an hour on two cores)
	$(BIN)/python -m services.demo.build

clean: ## remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
