"""What a rule is."""

from collections.abc import Callable
from dataclasses import dataclass

from botprobe.classify.subject import Subject
from botprobe.model.verdict import Family

# A name or HELO that goes on longer is cut in reports; the whole of it stands in the facts.
MAX_QUOTE = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """A named question about a host."""

    name: str
    family: Family
    find: Callable[[Subject], str | None]
    """Returns a clause fit for a report, None if the rule does not apply."""


def quoted(text: str) -> str:
    """Cut a text of the host's own to what a clause can hold; escaping is up to who shows it."""
    return text if len(text) <= MAX_QUOTE else f"{text[:MAX_QUOTE]}…"
