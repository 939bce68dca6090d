"""What a filter against some clients would do, and what it did."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from statistics import median

from botprobe.observers.maillog.figures import ClientDay, Figures
from botprobe.observers.maillog.model import Model


class Action(StrEnum):
    """Actions of a Postfix access table (access(5)) that stop or mark a client."""

    REJECT = "REJECT"
    DEFER = "DEFER"
    DISCARD = "DISCARD"
    HOLD = "HOLD"
    WARN = "WARN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A day as it was, and as it would be without some clients."""

    day: date
    connects: int
    connects_without: int
    alpha: float | None
    alpha_without: float | None
    queries: int | None
    queries_without: float | None
    """By the model; None without D_q or without a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeAfter:
    """Medians of the days before and after an action."""

    since: date
    days_before: int
    days_after: int
    connects: tuple[float | None, float | None]
    alpha: tuple[float | None, float | None]
    queries: tuple[float | None, float | None]


def foretell(
    day: Figures, clients: Mapping[int, ClientDay], without: Collection[int], model: Model
) -> Effect:
    """Say what the day would have been without some clients."""
    gone = [clients[client] for client in without if client in clients]
    connects = day.connects - sum(did.connects for did in gone)
    mails = max(0, day.mails - sum(did.accepted for did in gone))
    saved = None if model.dns is None else model.dns.slope * (day.connects - connects)
    return Effect(
        day=day.day,
        connects=day.connects,
        connects_without=connects,
        alpha=day.alpha,
        alpha_without=mails / connects if connects > 0 else None,
        queries=day.queries,
        queries_without=None
        if day.queries is None or saved is None
        else max(0.0, day.queries - saved),
    )


def before_and_after(days: Sequence[Figures], since: date) -> BeforeAfter:
    """Compare the days before an action with those from it on."""
    before = [day for day in days if day.day < since]
    after = [day for day in days if day.day >= since]
    return BeforeAfter(
        since=since,
        days_before=len(before),
        days_after=len(after),
        connects=(
            _median(d.measured_connects for d in before),
            _median(d.measured_connects for d in after),
        ),
        alpha=(_median(d.alpha for d in before), _median(d.alpha for d in after)),
        queries=(_median(d.queries for d in before), _median(d.queries for d in after)),
    )


def access_map(clients: Sequence[str], action: Action, reason: str) -> str:
    """Write a cidr table for ``check_client_access`` (cidr_table(5)), one line per client."""
    lines = ["# check_client_access cidr:/etc/postfix/botprobe-clients.cidr"]
    lines += [f"{client}\t{action} {reason}" for client in clients]
    return "\n".join(lines) + "\n"


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
