"""Runs programs in the laboratory, for tests and scripts that stand outside of it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def lab_command(command: Sequence[str], *options: str) -> list[str]:
    """Return the command line that runs ``command`` in a laboratory with these options."""
    return [sys.executable, "-m", "tests.lab", "run", *options, "--", *command]


def run_in_lab(
    *command: str, options: Sequence[str] = (), timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a program in a laboratory and return what it said; ``python`` is this interpreter.

    Raises ``subprocess.TimeoutExpired`` after ``timeout`` seconds.
    """
    program, *arguments = command
    if program == "python":
        program = sys.executable
    return subprocess.run(
        lab_command([program, *arguments], *options),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
