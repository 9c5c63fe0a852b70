"""Every branch of the plans, the verdict, the journal and the engine is tried by their own tests, or this fails."""

from __future__ import annotations

import subprocess
import sys
import tempfile

TESTS = [f"tests/unit/{name}" for name in ("engine", "journal", "plan", "proof")]
HELD = ("engine.py", "journal/*", "plan/*", "proof/decide.py")


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        coverage = [sys.executable, "-m", "coverage"]
        data = f"--data-file={directory}/data"
        ran = subprocess.run([*coverage, "run", "--branch", data, "-m", "pytest", "-q", *TESTS], check=False)
        held = ",".join(f"src/tanist/{name}" for name in HELD)
        report = [*coverage, "report", data, f"--include={held}", "--skip-covered", "-m", "--fail-under=100"]
        return ran.returncode or subprocess.run(report, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
