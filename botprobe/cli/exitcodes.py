"""What a command's exit code means; scripts rely on it."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The codes of every command."""

    DONE = 0
    """Done, whatever was found."""
    FAILURE = 1
    USAGE = 2
    CONFIG = 3
    PARTLY = 4
    """Done, but something was skipped; standard error says what."""
    REFUSED = 5
    """The safety rules forbade all of it."""
    FAIL_ON = 10
    """A verdict had a label of ``--fail-on``."""
    INTERRUPTED = 130
