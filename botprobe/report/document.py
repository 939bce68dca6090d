"""``botprobe/report/1``: the numbers of a report as other programs read them (docs/report.md)."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from botprobe.contract.case import builtins, rfc3339
from botprobe.model.text import spreadsheet_cell
from botprobe.model.weekly import ListedHost, MailCounts, Period
from botprobe.report.weekly import Delay, Line, Look, Share, TrendWeek, Turned, WeeklyReport

SCHEMA = "botprobe/report/1"

LINE_TABLES = (
    "steps",
    "refusals",
    "systems",
    "generations",
    "verdicts",
    "ambiguous_verdicts",
    "ambiguous_reasons",
)
"""Fields of WeeklyReport that are tables of lines."""


def report_document(report: WeeklyReport) -> dict[str, Any]:
    """Write a report as a JSON-ready mapping; every share names what it is a share of."""
    return {
        "schema": SCHEMA,
        "period": _period(report.period),
        "compared_with": _period(report.compared),
        "made": rfc3339(report.made),
        "mails": _mails(report.mails) | {"before": _mails(report.mails_before)},
        "undated_mails": report.undated,
        "told": _share(report.told) | {"before": _share(report.told_before)},
        **{name: [_line(line) for line in getattr(report, name)] for name in LINE_TABLES},
        "ambiguous": _share(report.ambiguous),
        "system_looks": [_look(look) for look in report.system_looks],
        "verdict_looks": [_look(look) for look in report.verdict_looks],
        "delay": _delay(report.delay),
        "new_bots": _turned(report.new_bots),
        "vanished_bots": _turned(report.vanished_bots),
        "networks": builtins(report.networks),
        "countries": builtins(report.countries),
        "router": builtins(report.router) | {"before": builtins(report.router_before)},
        "trend": [_week(week) for week in report.trend],
    }


def report_csv(report: WeeklyReport) -> str:
    """Write the tables of a report as one CSV table, a line for each number (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["table", "name", "hosts", "of_hosts", "mails", "of_mails", "before", "of_before"]
    )
    for name in LINE_TABLES:
        for line in getattr(report, name):
            shares = (line.hosts, line.delivered, line.before)
            numbers = [number for share in shares for number in (share.count, share.of)]
            writer.writerow([name, spreadsheet_cell(line.name), *numbers])
    for name, places in (("networks", report.networks), ("countries", report.countries)):
        for place in places:
            writer.writerow(
                [name, spreadsheet_cell(place.name), place.hosts, "", place.delivered, "", "", ""]
            )
    for table, name, count in _counts(report):
        writer.writerow([table, spreadsheet_cell(name), count, "", "", "", "", ""])
    return text.getvalue()


def _counts(report: WeeklyReport) -> Iterator[tuple[str, str, int]]:
    yield "mails", "mails", report.mails.mails
    yield "mails", "without a boundary", report.mails.without_boundary
    for name, count in report.mails.hops:
        yield "hops", name, count
    for name, count in report.mails.addresses:
        yield "addresses", name, count
    router = report.router
    for name in ("hosts", "suspects", "dropped", "redirected", "stopped"):
        yield "router", name, getattr(router, name)
    for name, count in report.delay.histogram:
        yield "delay", name, count


def _period(period: Period) -> dict[str, Any]:
    return {
        "name": str(period),
        "weeks": period.weeks,
        "since": rfc3339(period.first.start),
        "until": rfc3339(period.last.end),
    }


def _share(share: Share) -> dict[str, Any]:
    percent = share.percent
    return {
        "count": share.count,
        "of": share.of,
        "percent": None if percent is None else round(percent, 1),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "name": line.name,
        "hosts": _share(line.hosts),
        "mails": _share(line.delivered),
        "before": _share(line.before),
    }


def _look(look: Look) -> dict[str, Any]:
    return {"before": look.before, "now": look.now, "hosts": _share(look.hosts)}


def _mails(mails: MailCounts) -> dict[str, Any]:
    return {
        "count": mails.mails,
        "without_boundary": mails.without_boundary,
        "hops": dict(mails.hops),
        "addresses": dict(mails.addresses),
    }


def _delay(delay: Delay) -> dict[str, Any]:
    return {
        "hosts": _share(delay.hosts),
        "median_seconds": delay.median,
        "ninth_decile_seconds": delay.ninth_decile,
        "histogram": [{"lag": name, "hosts": hosts} for name, hosts in delay.histogram],
    }


def _turned(turned: Turned) -> dict[str, Any]:
    return {
        "hosts": _share(turned.hosts),
        "listed": [_listed(host) for host in turned.listed],
    }


def _listed(host: ListedHost) -> dict[str, Any]:
    return {
        "ip": host.ip,
        "network": host.network,
        "mails": host.delivered,
        "family": host.standing.family,
        "generation": host.standing.generation,
        "decided_by": host.standing.decided_by,
    }


def _week(week: TrendWeek) -> dict[str, Any]:
    return {
        "week": str(week.week),
        "systems": {str(name): hosts for name, hosts in week.systems if hosts},
        "not_told": week.not_told,
        "verdicts": {str(name): hosts for name, hosts in week.verdicts if hosts},
    }
