"""The numbers of a report: pure arithmetic over what the store counted.

Every share keeps the number that it is a share of, so that no figure stands without it.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from botprobe.model.verdict import Label
from botprobe.model.weekly import (
    HostGroup,
    ListedHost,
    MailCounts,
    Period,
    PlaceCount,
    RouterCounts,
    Standing,
    Tallies,
    Week,
    WeekGroup,
)
from botprobe.report.systems import (
    Step,
    SystemClass,
    class_of,
    is_ambiguous,
    is_windows,
    label_of,
    step_of,
    system_name,
    was_asked,
)

# A table for people; what is left over is added up in one line, never dropped.
MAX_LINES = 12

LAG_BOUNDS = (
    (60, "1 minute"),
    (300, "5 minutes"),
    (900, "15 minutes"),
    (3_600, "1 hour"),
    (21_600, "6 hours"),
    (86_400, "1 day"),
)

NOT_TOLD = "not told"

Named = Callable[[Standing], str | None]
_Kind = Callable[[Standing], bool]
_Hosts = Sequence[tuple[Standing, int]]
"""Standings, and how many hosts have each."""


@dataclass(frozen=True, slots=True)
class Share:
    """A number and what it is a part of."""

    count: int
    of: int

    @property
    def percent(self) -> float | None:
        """Per cent, None of nothing."""
        return 100 * self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of hosts: how many, what they delivered, and how many there were before."""

    name: str
    hosts: Share
    delivered: Share
    before: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Hosts that were looked at in both periods: what they were, and what they are now."""

    before: str
    now: str
    hosts: Share

    @property
    def changed(self) -> bool:
        """Whether the second look saw something else."""
        return self.before != self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """The seconds from delivery to probe, over the hosts of which both times are known."""

    hosts: Share
    median: int | None
    ninth_decile: int | None
    """Nine hosts of ten were probed within so many seconds."""
    histogram: tuple[tuple[str, int], ...]
    """Hosts by the bound that they stayed below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """Bots that came or went: how many, and the busiest of them."""

    hosts: Share
    listed: tuple[ListedHost, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendWeek:
    """One week of the trend."""

    week: Week
    systems: tuple[tuple[SystemClass, int], ...]
    """Hosts by class; ``not_told`` are counted apart."""
    not_told: int
    verdicts: tuple[tuple[Label, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyReport:
    """All numbers of one report."""

    period: Period
    compared: Period
    made: datetime
    mails: MailCounts
    mails_before: MailCounts
    undated: int
    steps: tuple[Line, ...]
    """From named to told: each step a part of all addresses."""
    refusals: tuple[Line, ...]
    told: Share
    """Hosts whose system was told, of those investigated."""
    told_before: Share
    systems: tuple[Line, ...]
    generations: tuple[Line, ...]
    verdicts: tuple[Line, ...]
    system_looks: tuple[Look, ...]
    verdict_looks: tuple[Look, ...]
    ambiguous: Share
    """Windows that may be client or server, of all Windows."""
    ambiguous_verdicts: tuple[Line, ...]
    ambiguous_reasons: tuple[Line, ...]
    """Which rule weighed most where the system could not decide."""
    delay: Delay
    new_bots: Turned
    vanished_bots: Turned
    networks: tuple[PlaceCount, ...]
    countries: tuple[PlaceCount, ...]
    router: RouterCounts
    router_before: RouterCounts
    trend: tuple[TrendWeek, ...]


def weekly_report(tallies: Tallies, made: datetime) -> WeeklyReport:
    """Work out a report.

    Args:
        tallies: what the store counted.
        made: the time of the report, aware.
    """
    groups = tallies.groups
    now = [(group.now, group.hosts) for group in groups if group.now is not None]
    before = [(group.before, group.hosts) for group in groups if group.before is not None]
    return WeeklyReport(
        period=tallies.period,
        compared=tallies.compared,
        made=made,
        mails=tallies.mails,
        mails_before=tallies.mails_before,
        undated=tallies.undated,
        steps=_lines(groups, lambda standing: str(step_of(standing)), order=Step),
        refusals=_lines(groups, lambda standing: standing.refused),
        told=_share(now, _told, was_asked),
        told_before=_share(before, _told, was_asked),
        systems=_lines(groups, class_of, order=SystemClass),
        generations=_lines(groups, _only(was_asked, system_name)),
        verdicts=_lines(groups, label_of, order=Label),
        system_looks=_looks(groups, lambda standing: class_of(standing) or NOT_TOLD),
        verdict_looks=_looks(groups, lambda standing: str(standing.label)),
        ambiguous=_share(now, is_ambiguous, is_windows),
        ambiguous_verdicts=_lines(groups, _only(is_ambiguous, label_of), order=Label),
        ambiguous_reasons=_lines(groups, _only(is_ambiguous, _reason)),
        delay=_delay(tallies.lags, _number(now, was_asked)),
        new_bots=Turned(hosts=_turned(groups, new=True), listed=tallies.new_bots),
        vanished_bots=Turned(hosts=_turned(groups, new=False), listed=tallies.vanished_bots),
        networks=tallies.networks,
        countries=tallies.countries,
        router=tallies.router,
        router_before=tallies.router_before,
        trend=_trend(tallies.trend),
    )


def _lines(
    groups: Iterable[HostGroup], name_of: Named, order: Iterable[str] = ()
) -> tuple[Line, ...]:
    """Add up the hosts by name; a name None is no part of the whole.

    Args:
        groups: all hosts.
        name_of: the line that a host belongs to.
        order: the order of the lines; without it the most hosts first.
    """
    hosts, delivered, before = Counter[str](), Counter[str](), Counter[str]()
    for group in groups:
        if group.now is not None and (name := name_of(group.now)) is not None:
            hosts[name] += group.hosts
            delivered[name] += group.delivered
        if group.before is not None and (name := name_of(group.before)) is not None:
            before[name] += group.hosts
    named = sorted(hosts | before, key=lambda name: (-hosts[name], -before[name], name))
    if wanted := [str(name) for name in order]:
        named.sort(key=wanted.index)
    lines = [
        Line(
            name=name,
            hosts=Share(hosts[name], hosts.total()),
            delivered=Share(delivered[name], delivered.total()),
            before=Share(before[name], before.total()),
        )
        for name in named
    ]
    return tuple(lines if len(lines) <= MAX_LINES else _folded(lines))


def _folded(lines: list[Line]) -> list[Line]:
    """Add up the tail of a long list, so that the sums stay whole."""
    tail = lines[MAX_LINES - 1 :]

    def total(part: Callable[[Line], Share]) -> Share:
        return Share(sum(part(line).count for line in tail), part(tail[0]).of)

    rest = Line(
        name=f"{len(tail)} others",
        hosts=total(lambda line: line.hosts),
        delivered=total(lambda line: line.delivered),
        before=total(lambda line: line.before),
    )
    return [*lines[: MAX_LINES - 1], rest]


def _looks(groups: Iterable[HostGroup], name_of: Callable[[Standing], str]) -> tuple[Look, ...]:
    pairs = Counter[tuple[str, str]]()
    for group in groups:
        if group.now is None or group.before is None:
            continue
        if was_asked(group.now) and was_asked(group.before):
            pairs[name_of(group.before), name_of(group.now)] += group.hosts
    return tuple(
        Look(before=before, now=now, hosts=Share(hosts, pairs.total()))
        for (before, now), hosts in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    )


def _only(kind: _Kind, name_of: Named) -> Named:
    """Name no hosts but those of a kind."""
    return lambda standing: name_of(standing) if kind(standing) else None


def _reason(standing: Standing) -> str:
    return standing.decided_by or "no evidence"


def _share(hosts: _Hosts, part: _Kind, whole: _Kind) -> Share:
    """Count the hosts of one kind, and those of the kind that it is a part of."""
    return Share(_number(hosts, part), _number(hosts, whole))


def _number(hosts: _Hosts, kind: _Kind) -> int:
    return sum(number for standing, number in hosts if kind(standing))


def _told(standing: Standing) -> bool:
    return class_of(standing) is not None


def _is_bot(standing: Standing | None) -> bool:
    return standing is not None and standing.label is Label.BOT


def _turned(groups: Iterable[HostGroup], *, new: bool) -> Share:
    """Count the bots of one period that are none in the other, of all bots of the one."""
    sides = [
        (group.now, group.before, group.hosts) if new else (group.before, group.now, group.hosts)
        for group in groups
    ]
    bots = sum(hosts for here, _, hosts in sides if _is_bot(here))
    turned = sum(hosts for here, there, hosts in sides if _is_bot(here) and not _is_bot(there))
    return Share(turned, bots)


def _delay(lags: tuple[tuple[int, int], ...], asked: int) -> Delay:
    known = sum(hosts for _, hosts in lags)
    bounds = [bound for bound, _ in LAG_BOUNDS]
    counts = [0] * (len(bounds) + 1)
    for seconds, hosts in lags:
        counts[bisect_right(bounds, seconds)] += hosts
    names = [*(f"below {text}" for _, text in LAG_BOUNDS), f"{LAG_BOUNDS[-1][1]} or more"]
    return Delay(
        hosts=Share(known, asked),
        median=_quantile(lags, known, 0.5),
        ninth_decile=_quantile(lags, known, 0.9),
        histogram=tuple(zip(names, counts, strict=True)),
    )


def _quantile(lags: tuple[tuple[int, int], ...], known: int, part: float) -> int | None:
    """Return the least lag that at least this part of the hosts does not exceed."""
    passed = 0
    for seconds, hosts in lags:
        passed += hosts
        if passed >= part * known:
            return seconds
    return None


def _trend(groups: Iterable[WeekGroup]) -> tuple[TrendWeek, ...]:
    weeks: dict[Week, list[WeekGroup]] = {}
    for group in groups:
        if was_asked(group.standing):
            weeks.setdefault(group.week, []).append(group)
    return tuple(_trend_week(week, found) for week, found in sorted(weeks.items()))


def _trend_week(week: Week, groups: list[WeekGroup]) -> TrendWeek:
    systems, verdicts, not_told = Counter[str](), Counter[str](), 0
    for group in groups:
        if name := class_of(group.standing):
            systems[name] += group.hosts
        else:
            not_told += group.hosts
        verdicts[str(group.standing.label)] += group.hosts
    return TrendWeek(
        week=week,
        systems=tuple((kind, systems[kind]) for kind in SystemClass),
        not_told=not_told,
        verdicts=tuple((label, verdicts[label]) for label in Label),
    )
