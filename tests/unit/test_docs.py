"""What the README says of settings, targets and files is so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from services.sae.formats import ACCEPTED
from services.sae.preflight.thresholds import LIMITS
from services.settings import PROJECT_ROOT, Settings

README = (PROJECT_ROOT / "README.md").read_text()


def test_the_table_names_every_setting_with_its_description():
    rows = dict(re.findall(r"^\| `(ACTISCOPE_\w+)` \| .* \| (.*) \|$", README, re.MULTILINE))
    described = {
        f"ACTISCOPE_{name.upper()}": field.description
        for name, field in Settings.model_fields.items()
    }
    assert rows == described


def test_the_thresholds_in_the_docs_are_those_that_judge():
    def shown(limit: float | None) -> str:
        return "–" if limit is None else f"{limit:g}"

    table = _read("docs/preflight.md")
    row = r"^\| `(\w+)` \| (\w+) \| (\S+) \| (\S+) \| (.*) \|$"
    judged = [
        (name, "below" if x.is_floor else "above", shown(x.suspicious), shown(x.broken), x.why)
        for name, x in LIMITS.items()
    ]
    assert re.findall(row, table, re.MULTILINE) == judged


def test_every_layout_that_is_read_is_in_the_docs():
    table = _read("docs/saes.md")
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(ACCEPTED)


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z0-9]+):.*## ", _read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"it"}
    assert {"run", "test", "setup", "help"} <= named <= targets | {"help"}


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_every_file_that_is_linked_exists(link):
    assert (PROJECT_ROOT / link).exists()


AGREED = {
    *("pyproject.toml", "README.md", "app.py", "pages", "components", "services", "db"),
    *("assets", "tests"),
    # not part of what runs
    *("Makefile", "docs", "benchmarks", ".ci", "LICENSE", "CHANGELOG.md", "constraints.txt"),
    ".gitignore",
}


def test_the_top_level_is_the_agreed_one():
    git = ["git", "ls-files"]
    listed = subprocess.run(git, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    found = {Path(line).parts[0] for line in listed.stdout.splitlines()}
    if not found:
        pytest.skip("not a git checkout")
    assert found <= AGREED


def _read(name: str) -> str:
    return (PROJECT_ROOT / name).read_text()
