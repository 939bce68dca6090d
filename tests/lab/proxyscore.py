"""How well a tracing fits the truth that the victims' own logs hold."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.lab.proxyabuse import FRONT, SPAMMERS


class Score(NamedTuple):
    """Sessions of spammers that were attributed rightly, wrongly, or not at all."""

    right: int
    wrong: int
    missed: int
    innocent: int
    """Sessions that nobody ordered, or users, with somebody accused."""

    @property
    def precision(self) -> float:
        """Of the accusations, those that are right."""
        accused = self.right + self.wrong + self.innocent
        return self.right / accused if accused else 1.0

    @property
    def recall(self) -> float:
        """Of the spammers' sessions, those that are attributed."""
        return self.right / (self.right + self.wrong + self.missed)


def score(document: Mapping[str, Any], truth: Mapping[str, str], *, hidden: bool) -> Score:
    """Compare the traces with the truth: those behind TLS, or all others."""
    named = {
        f"{one['proxy']['ip']}:{one['proxy']['port']}": one["origin"] and one["origin"]["ip"]
        for one in document["traces"]
        if one["answer"] != "two-equal"
    }
    right = wrong = missed = innocent = 0
    for place, origin in truth.items():
        if (place.rpartition(":")[0] == FRONT) != hidden:
            continue
        said = named.get(place)
        if origin not in SPAMMERS:
            innocent += said is not None
        elif said is None:
            missed += 1
        elif said == origin:
            right += 1
        else:
            wrong += 1
    return Score(right, wrong, missed, innocent)
