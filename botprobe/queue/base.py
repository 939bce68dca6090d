"""What a queue is here: a bell. It may ring too often or not at all, and nothing is lost."""

from typing import Protocol


class Bell(Protocol):
    """Wakes whoever works on the host table."""

    def ring(self) -> None:
        """Say that somebody may be due."""
        ...

    async def wait(self, seconds: float) -> None:
        """Wait until it rings, no longer than so many seconds."""
        ...
