"""A report as titled tables, the same on a terminal, in a mail and on a page.

Each section says in one sentence what its numbers are a part of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from botprobe.model.text import counted, visible
from botprobe.model.weekly import ListedHost, PlaceCount
from botprobe.report.weekly import Line, Look, Share, Turned, WeeklyReport

# More transitions than this are the noise of single hosts.
MAX_LOOKS = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    cells: tuple[str, ...]
    """Text made visible, fit for any output that escapes it."""
    part: float | None = None
    """Length of the line's bar, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of a report."""

    key: str
    title: str
    note: str
    columns: tuple[str, ...]
    """The first column is text, all others are numbers, unless ``words`` says more."""
    rows: tuple[Row, ...]
    words: int = 1
    """How many columns, from the left, are text."""


def sections(report: WeeklyReport) -> tuple[Section, ...]:
    """Return the tables of a report, without those that have nothing to say."""
    found = (
        _mails(report),
        _steps(report),
        _systems(report),
        _generations(report),
        _verdicts(report),
        *_looks(report),
        *_ambiguous(report),
        _refusals(report),
        _delay(report),
        _bots("new-bots", "New bots", report.new_bots, "were none in the period before"),
        _bots("vanished-bots", "Vanished bots", report.vanished_bots, "are none any more"),
        _places(
            "networks", "Networks", report.networks, "The /24 and /48 networks with most bots."
        ),
        *_router(report),
        _places("countries", "Countries", report.countries, "All addresses by country."),
    )
    return tuple(section for section in found if section.rows)


def headline(report: WeeklyReport) -> str:
    """Say the week in one sentence."""
    bots = next((line for line in report.verdicts if line.name == "bot"), None)
    number, before = (bots.hosts.count, bots.before.count) if bots else (0, 0)
    return (
        f"{counted(report.mails.mails, 'mail')} named {counted(whole(report), 'address')}; "
        f"{report.told.of:,} investigated, {number:,} of them taken for bots "
        f"({before:,} in {report.compared})."
    )


def whole(report: WeeklyReport) -> int:
    """Return the number of all addresses of the period."""
    return report.steps[0].hosts.of if report.steps else 0


def share_text(share: Share) -> str:
    """Write a share with its denominator."""
    percent = share.percent
    return "none" if percent is None else f"{share.count:,} of {share.of:,} ({percent:.0f}\u00a0%)"


def seconds_text(seconds: float | None) -> str:
    """Write a span of time in its largest fitting unit."""
    if seconds is None:
        return "not known"
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return counted(round(seconds), "second")


def system_text(host: ListedHost) -> str:
    """Name the system of a listed host."""
    named = " ".join(filter(None, (host.standing.family, host.standing.generation)))
    return visible(named) or "not told"


def _mails(report: WeeklyReport) -> Section:
    now, before = report.mails, report.mails_before
    hops_before, addresses_before = dict(before.hops), dict(before.addresses)
    rows = [("mails", now.mails, before.mails)]
    rows.append(("mails whose boundary is unknown", now.without_boundary, before.without_boundary))
    names = dict(now.hops) | hops_before
    rows += [
        (_hop_name(name), dict(now.hops).get(name, 0), hops_before.get(name, 0)) for name in names
    ]
    rows += [
        (f"distinct addresses, {name}", count, addresses_before.get(name, 0))
        for name, count in now.addresses
    ]
    undated = f" Without a date, and so in no week: {counted(report.undated, 'mail')} of the store."
    return Section(
        key="mails",
        title="Mails and hops",
        note="Hops by how far they can be believed; an address may be in several lines."
        + (undated if report.undated else ""),
        columns=("", str(report.period), str(report.compared)),
        rows=tuple(Row((name, f"{count:,}", f"{past:,}")) for name, count, past in rows),
    )


def _hop_name(trust: str) -> str:
    return "hops without an address" if trust == "none" else f"hops, {trust}"


def _steps(report: WeeklyReport) -> Section:
    return Section(
        key="steps",
        title="What became of the addresses",
        note=f"Each of the {counted(whole(report), 'address')} named or asked is in one line.",
        columns=_columns(report),
        rows=_rows(report.steps),
    )


def _systems(report: WeeklyReport) -> Section:
    return Section(
        key="systems",
        title="Operating systems",
        note=f"Of the {counted(report.told.count, 'host')} whose system was told, "
        f"out of {report.told.of:,} investigated.",
        columns=_columns(report),
        rows=_rows(report.systems),
    )


def _generations(report: WeeklyReport) -> Section:
    return Section(
        key="generations",
        title="Systems by generation",
        note=f"The same {counted(report.told.count, 'host')}, in nmap's words.",
        columns=_columns(report),
        rows=_rows(report.generations),
    )


def _verdicts(report: WeeklyReport) -> Section:
    return Section(
        key="verdicts",
        title="Verdicts",
        note=f"Of {counted(report.told.of, 'host')} investigated; "
        "mails are those that a host handed to us.",
        columns=_columns(report),
        rows=_rows(report.verdicts),
    )


def _looks(report: WeeklyReport) -> list[Section]:
    made = []
    for key, title, looks in (
        ("system-looks", "Systems at the second look", report.system_looks),
        ("verdict-looks", "Verdicts at the second look", report.verdict_looks),
    ):
        both = looks[0].hosts.of if looks else 0
        changed = sum(look.hosts.count for look in looks if look.changed)
        made.append(
            Section(
                key=key,
                title=title,
                note=f"Hosts investigated in {report.compared} and in {report.period}: {both:,}. "
                f"Changed: {changed:,}.",
                columns=(
                    f"first look, {report.compared}",
                    f"second look, {report.period}",
                    "hosts",
                ),
                rows=tuple(_look_row(look) for look in looks[:MAX_LOOKS]),
                words=2,
            )
        )
    return made


def _look_row(look: Look) -> Row:
    now = visible(look.now) if look.changed else "the same"
    return Row((visible(look.before), now, share_text(look.hosts)))


def _ambiguous(report: WeeklyReport) -> list[Section]:
    ambiguous = share_text(report.ambiguous)
    return [
        Section(
            key="ambiguous",
            title="Windows that may be client or server",
            note=f"{ambiguous} of the Windows hosts; this is what they were judged to be.",
            columns=_columns(report),
            rows=_rows(report.ambiguous_verdicts),
        ),
        Section(
            key="ambiguous-reasons",
            title="What decided about them",
            note="The rule that weighed most where the system alone could not tell.",
            columns=_columns(report),
            rows=_rows(report.ambiguous_reasons),
        ),
    ]


def _refusals(report: WeeklyReport) -> Section:
    return Section(
        key="refusals",
        title="Why addresses were not probed",
        note="Addresses that were refused in the whole period.",
        columns=_columns(report),
        rows=_rows(report.refusals),
    )


def _delay(report: WeeklyReport) -> Section:
    delay = report.delay
    known = delay.hosts.count
    return Section(
        key="delay",
        title="From delivery to probe",
        note=f"Half of the hosts within {seconds_text(delay.median)}, nine of ten within "
        f"{seconds_text(delay.ninth_decile)}; known for {share_text(delay.hosts)}.",
        columns=("delay", "hosts"),
        rows=tuple(
            Row((name, share_text(Share(hosts, known))), hosts / known)
            for name, hosts in delay.histogram
        )
        if known
        else (),
    )


def _bots(key: str, title: str, turned: Turned, what: str) -> Section:
    listed = "" if turned.hosts.count <= len(turned.listed) else " The busiest:"
    return Section(
        key=key,
        title=title,
        note=f"Of all bots, {share_text(turned.hosts)} {what}.{listed}",
        columns=("address", "system", "decided by", "mails"),
        rows=tuple(
            Row(
                (
                    host.ip,
                    system_text(host),
                    visible(host.standing.decided_by or ""),
                    f"{host.delivered:,}",
                )
            )
            for host in turned.listed
        ),
        words=3,
    )


def _router(report: WeeklyReport) -> list[Section]:
    now, before = report.router, report.router_before
    if not now.hosts + before.hosts:
        return []
    named = (
        ("hosts in its table", now.hosts, before.hosts),
        ("suspects: they only send", now.suspects, before.suspects),
        ("hosts whose mail was dropped", now.dropped, before.dropped),
        ("hosts whose mail was redirected", now.redirected, before.redirected),
        ("connections that this stopped", now.stopped, before.stopped),
    )
    return [
        Section(
            key="router",
            title="What the router saw and did",
            note="Of the hosts that botprobe router --keep wrote down, each as last seen.",
            columns=("", str(report.period), str(report.compared)),
            rows=tuple(Row((name, f"{count:,}", f"{past:,}")) for name, count, past in named),
        ),
        Section(
            key="router-suspects",
            title="Suspects of the router",
            note=f"{now.suspects:,} in all; those with most credit.",
            columns=("address", "done", "credit", "connections stopped"),
            rows=tuple(
                Row((one.ip, str(one.action), f"{one.credit:,}", f"{one.stopped:,}"))
                for one in now.listed
            ),
            words=2,
        ),
    ]


def _places(key: str, title: str, places: Sequence[PlaceCount], note: str) -> Section:
    most = max((place.hosts for place in places), default=0)
    return Section(
        key=key,
        title=title,
        note=note,
        columns=("", "hosts", "bots", "mails"),
        rows=tuple(
            Row(
                (
                    visible(" ".join(filter(None, (place.name, place.origin)))),
                    f"{place.hosts:,}",
                    f"{place.bots:,}",
                    f"{place.delivered:,}",
                ),
                place.hosts / most,
            )
            for place in places
        ),
    )


def _columns(report: WeeklyReport) -> tuple[str, ...]:
    return ("", f"hosts, {report.period}", f"hosts, {report.compared}", "mails")


def _rows(lines: Iterable[Line]) -> tuple[Row, ...]:
    return tuple(
        Row(
            (
                visible(line.name),
                share_text(line.hosts),
                share_text(line.before),
                share_text(line.delivered),
            ),
            line.hosts.count / line.hosts.of if line.hosts.of else 0,
        )
        for line in lines
    )
