"""A store filled with the study's own numbers (Endo 2009): 372 hosts, looked at twice.

August: 69 systems told (Windows Server 10, Windows 95~XP 2, Linux 22, other 35).
October: 44 told (5, 0, 19, 20).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address

from sqlalchemy import create_engine

from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import OsClass, OsMatch, OsResult, PingResult
from botprobe.model.target import Target
from botprobe.model.verdict import Case, Evidence, Family, Label, Verdict
from botprobe.model.weekly import Period
from botprobe.report.weekly import WeeklyReport, weekly_report
from botprobe.store.reporting import tallies
from botprobe.store.rollup import count_case
from botprobe.store.schema import metadata
from tests.cases import NOON

HOSTS = 372
AUGUST = datetime(2009, 8, 12, 12, tzinfo=UTC)
OCTOBER = datetime(2009, 10, 14, 12, tzinfo=UTC)
OCTOBER_AND_AUGUST = (
    Period.parse("2009-W41..2009-W44"),
    Period.parse("2009-W31..2009-W35"),
)
TOLD = {
    AUGUST: {"server": 10, "client": 2, "linux": 22, "printer": 35},
    OCTOBER: {"server": 5, "client": 0, "linux": 19, "printer": 20},
}

_SYSTEMS = {
    "server": ("Microsoft Windows Server 2003", "Microsoft", "Windows", "2003", "general purpose"),
    "client": ("Microsoft Windows XP SP2", "Microsoft", "Windows", "XP", "general purpose"),
    "modern": ("Microsoft Windows 10", "Microsoft", "Windows", "10", "general purpose"),
    "linux": ("Linux 2.6.9 - 2.6.30", "Linux", "Linux", "2.6.X", "general purpose"),
    "printer": ("HP LaserJet printer", "HP", "embedded", "", "printer"),
}


@cache
def study_report() -> WeeklyReport:
    """Return the report over the October of the study, compared with its August."""
    return report_on(study_cases(), *OCTOBER_AND_AUGUST)


def report_on(cases: Iterable[Case], period: Period, compared: Period) -> WeeklyReport:
    """Put cases into a store and report on them."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        for case in cases:
            count_case(connection, case)
        found = tallies(connection, period, compared, trend_weeks=13)
    engine.dispose()
    return weekly_report(found, NOON)


def study_cases() -> Iterator[Case]:
    """Yield the cases of both looks."""
    for moment, told in TOLD.items():
        systems: list[str | None] = [name for name, hosts in told.items() for _ in range(hosts)]
        systems += [None] * (HOSTS - len(systems))
        for number, system in enumerate(systems):
            label = Label.BOT if system == "client" else Label.UNKNOWN
            yield made_case(f"198.18.{number // 250}.{number % 250 + 1}", moment, system, label)


def made_case(
    ip: str,
    started: datetime,
    system: str | None = None,
    label: Label = Label.UNKNOWN,
    *,
    refused: str | None = None,
    lag: float | None = None,
) -> Case:
    """Return a case of a host with one of the systems above, None for no match."""
    evidence = Evidence(rule="client-windows", family=Family.OS, weight=2.0, because="it is one")
    facts = Facts(
        ping=Measured(PingResult(sent=3, received=3), started, 1.0),
        os=Measured(OsResult(matches=_matches(system)), started, 1.0),
    )
    return Case(
        target=Target(ip_address(ip)),
        started=started,
        seconds=1.0,
        lag_seconds=lag,
        refused=refused,
        facts=facts if refused is None else Facts(),
        verdict=Verdict(label=label, probability=0.5, evidence=(evidence,)),
    )


def _matches(system: str | None) -> tuple[OsMatch, ...]:
    if system is None:
        return ()
    name, vendor, family, generation, kind = _SYSTEMS[system]
    known = OsClass(
        vendor=vendor, family=family, generation=generation or None, type=kind, accuracy=100
    )
    return (OsMatch(name=name, accuracy=100, classes=(known,)),)
