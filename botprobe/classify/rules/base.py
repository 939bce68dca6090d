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


Found = tuple[Rule, str]
"""A rule that applies, and its clause."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that look at the same sides of a host."""

    looks_at: Callable[[Subject], tuple[object, ...]]
    """Returns all that the rules look at: where it is the same, so are their findings."""
    rules: tuple[Rule, ...]

    def find(self, subject: Subject) -> list[Found]:
        """Return the rules that apply, each with its clause."""
        found = []
        for rule in self.rules:
            because = rule.find(subject)
            if because is not None:
                found.append((rule, because))
        return found


def quoted(text: str) -> str:
    """Cut a text of the host's own to what a clause can hold; escaping is up to who shows it."""
    return text if len(text) <= MAX_QUOTE else f"{text[:MAX_QUOTE]}…"
