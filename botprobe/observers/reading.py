"""What was read of files, and what could not be: no bad file stops the rest, and each is named."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class ReadNotes:
    """Files that were read, and what could not be."""

    files: int = 0
    unreadable: int = 0
    """Of these, files of which nothing could be read."""
    damaged: list[str] = field(default_factory=list)
    """A line for each file that could not be read, or not to its end."""

    def miss(self, line: str) -> None:
        """Note that nothing of a file could be read."""
        self.unreadable += 1
        self.damaged.append(line)

    def add(self, other: "ReadNotes") -> None:
        """Add what was noted of other files."""
        self.files += other.files
        self.unreadable += other.unreadable
        self.damaged += other.damaged
