"""The outcome of one measurement: what was seen, or why nothing could be."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Measured(Generic[R_co]):
    """A probe ran to its end; silence and refusal of the host are results too."""

    result: R_co
    started: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Nothing was learnt about the host, so nothing follows about it."""

    reason: str
    """A clause fit for a report: ``no raw socket``, ``egress blocked``."""


Outcome = Measured[R_co] | NotMeasured
