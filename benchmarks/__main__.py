"""`python -m benchmarks [names...] [--quick]`: measure, print, write JSON and the document.

With `--quick` few repetitions of small cases are measured, to see that the benchmarks work; their
figures mean nothing and nothing is written.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from datetime import UTC, datetime
from importlib import import_module

from benchmarks import report
from benchmarks.facts import load_average, machine_facts
from benchmarks.result import Skipped

BENCHMARKS = {
    "startup": "From process start to the first page",
    "run_wall": "A stored run against bare generation",
    "strip": "Painting a strip of 2,000 tokens",
    "storage": "Bytes stored per run",
    "sae_encode": "Encoding with a large SAE",
    "preflight": "Measuring an SAE with its model",
    "store_read": "Reading one feature of an activation store",
    "extraction": "A whole extraction against the bare forward pass",
    "store_build": "Building an activation store",
    "store_scale": "Large activation stores",
    "feature_page": "What the page of a feature asks of the server",
    "feature_interactive": "The page of a feature in a browser",
    "arrow_endpoint": "One feature over HTTP as an Arrow stream",
    "extraction_anchors": "Extraction against other tools",
    "catalogue": "Searching the catalogue of SAEs",
    "feature_table": "The table of 131,072 features",
    "label_import": "Importing 100,000 labels",
    "run_list": "The list of a thousand and of a million runs",
}


def measure(name: str, quick: bool) -> report.Entry:
    """Run the benchmark; whatever stops it becomes the entry's problem."""
    started, load = time.monotonic(), load_average()
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    results, problem = [], None
    try:
        results = import_module(f"benchmarks.{name}").measure(quick)
    except Skipped as reason:
        problem = str(reason)
    except Exception as error:  # one benchmark that fails must not cost the others
        traceback.print_exc()
        problem = f"it failed with {type(error).__name__}"
    seconds = time.monotonic() - started
    return report.Entry(BENCHMARKS[name], at, seconds, load, results, problem)


def main() -> int:
    """The exit status is 1 when a benchmark failed; a missed goal is no failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="only see that they work")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {unknown[0]}: there are {', '.join(BENCHMARKS)}")
    entries = {}
    for name in arguments.names or BENCHMARKS:
        entries[name] = measure(name, arguments.quick)
        print(report.printed(name, entries[name]), flush=True)
    if not arguments.quick:
        report.write(machine_facts(), entries, list(BENCHMARKS))
    problems = [entry.problem or "" for entry in entries.values()]
    return int(any(problem.startswith("it failed") for problem in problems))


if __name__ == "__main__":
    sys.exit(main())
