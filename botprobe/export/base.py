"""What all exports share: who publishes, what is published, and in which form."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid5

from botprobe.errors import ConfigError
from botprobe.model.finding import Finding

NAMESPACE = UUID("0b6f3b9c-57d5-5f0e-9d55-3f6c0a1a5b7e")
"""Of the names that botprobe makes (RFC 9562, section 5.5): the same evidence, the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One run of an export."""

    made: datetime
    organisation: str | None = None
    contact: str | None = None
    action: str = "reject"
    """What a Postfix table does to the host."""
    zone: str = "bots.invalid"
    """Name of a DNS zone."""

    @property
    def signature(self) -> tuple[str, str]:
        """Organisation and mail address of who publishes.

        Raises:
            ConfigError: one of them is not set; nobody answers to anonymous reports.
        """
        if not self.organisation or not self.contact:
            raise ConfigError("set export.organisation and export.contact: a report needs a sender")
        return self.organisation, self.contact


Write = Callable[[Iterable[Finding], Publication], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One form of export."""

    name: str
    write: Write
    """Yields the parts of the text, line endings included."""
    help: str
    blocks: bool = False
    """Whether readers act on an entry: then only hosts that handed a mail to us are in it."""


def stable_uuid(*parts: str) -> UUID:
    """Return the same name for the same parts."""
    return uuid5(NAMESPACE, "\0".join(parts))


def instant(moment: datetime) -> str:
    """Write a time in UTC to the second, as RFC 3339 does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def entry_comment(finding: Finding) -> str:
    """Name the evidence and the expiry of an entry in one line of plain ASCII."""
    return f"evidence {finding.evidence_id}, expires {instant(finding.expires)}"
