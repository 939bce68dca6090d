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


@dataclass(frozen=True, slots=True)
class Medians:
    """Of some days."""

    connects: float | None
    alpha: float | None
    queries: float | None

    def of(self, name: str) -> float | None:
        """Return one by its name in the method: N_c, alpha or D_q."""
        return {"N_c": self.connects, "alpha": self.alpha, "D_q": self.queries}[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeAfter:
    """The days before and after an action, and what was foretold of it."""

    since: date
    days_before: int
    days_abnormal: int
    """Of the days before, those with drivers."""
    days_after: int
    before: Medians
    abnormal: Medians | None
    foretold: Medians | None
    """The abnormal days without their drivers."""
    after: Medians


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


def before_and_after(
    days: Sequence[Figures], effects: Sequence[Effect], since: date
) -> BeforeAfter:
    """Compare the days before an action with those from it on.

    Args:
        days: all days.
        effects: what each abnormal day would have been without its drivers.
        since: the first day of the action.
    """
    before = [day for day in days if day.day < since]
    after = [day for day in days if day.day >= since]
    told = [effect for effect in effects if effect.day < since]
    return BeforeAfter(
        since=since,
        days_before=len(before),
        days_abnormal=len(told),
        days_after=len(after),
        before=_medians(before),
        abnormal=Medians(
            _median(effect.connects for effect in told),
            _median(effect.alpha for effect in told),
            _median(effect.queries for effect in told),
        )
        if told
        else None,
        foretold=Medians(
            _median(effect.connects_without for effect in told),
            _median(effect.alpha_without for effect in told),
            _median(effect.queries_without for effect in told),
        )
        if told
        else None,
        after=_medians(after),
    )


def _medians(days: Sequence[Figures]) -> Medians:
    return Medians(
        _median(day.measured_connects for day in days),
        _median(day.alpha for day in days),
        _median(day.queries for day in days),
    )


def access_map(clients: Sequence[str], action: Action, reason: str) -> str:
    """Write a cidr table for ``check_client_access`` (cidr_table(5)), one line per client."""
    lines = ["# check_client_access cidr:/etc/postfix/botprobe-clients.cidr"]
    lines += [f"{client}\t{action} {reason}" for client in clients]
    return "\n".join(lines) + "\n"


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
