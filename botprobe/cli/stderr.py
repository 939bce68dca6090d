"""Lines for people beside the result: standard output is the result's alone."""

import sys

from botprobe.model.text import visible


def complain(line: str) -> None:
    """Write one line to standard error."""
    print(f"botprobe: {visible(line)}", file=sys.stderr)
