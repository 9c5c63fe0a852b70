"""Each requirement A01 to A72 (docs/requirements.txt) with the tests that show it, and those that have none yet.

A test says so by its marker: @pytest.mark.requirement("A31", "A37").
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


class Collected:
    """A pytest plugin that only looks at what was collected."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = defaultdict(list)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            name = item.nodeid.split("[")[0]
            for mark in item.iter_markers("requirement"):
                for one in mark.args:
                    if name not in self.tests[one]:
                        self.tests[one].append(name)


def load_requirements() -> dict[str, str]:
    lines = (ROOT / "docs" / "requirements.txt").read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


def main() -> int:
    collected = Collected()
    status = pytest.main(["--collect-only", "-qq", "--no-summary", str(ROOT / "tests")], plugins=[collected])
    if status != pytest.ExitCode.OK:
        return int(status)
    requirements = load_requirements()
    print("\n" * 2)
    for name, says in requirements.items():
        print(f"{name}  {says}")
        for test in collected.tests.get(name, []):
            print(f"       {test}")
        if name not in collected.tests:
            print("       -- no test yet")
    unknown = sorted(set(collected.tests) - set(requirements))
    missing = [name for name in requirements if name not in collected.tests]
    shown = len(requirements) - len(missing)
    print(f"\n{shown} of {len(requirements)} are shown by a test; without: {' '.join(missing) or 'none'}")
    if unknown:
        print(f"markers that name no requirement: {' '.join(unknown)}")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
