"""One line of plain English for each outcome, the same in host logs, on screen and in reports.

Everything that a host said is made visible first: it may hold escape sequences.
"""

from collections.abc import Iterator

from botprobe.classify.oscatalog import OsRole, read_os
from botprobe.contract.case import rfc3339
from botprobe.model.facts import NOT_ASKED, NOTHING_OBSERVED, Facts
from botprobe.model.outcome import Measured, NotMeasured, Outcome
from botprobe.model.results import (
    DnsblAnswer,
    DnsblResult,
    DnsResult,
    ElsewhereResult,
    MailLogTraffic,
    NetworkResult,
    ObservedTraffic,
    OsResult,
    PassiveResult,
    PingResult,
    PortState,
    ProxyResult,
    ProxyRole,
    ProxyTraffic,
    PtrName,
    Reply,
    RouterAction,
    RouterTraffic,
    SmtpResult,
    TrafficResult,
    WindowsAnswer,
    WindowsResult,
)
from botprobe.model.text import counted, visible
from botprobe.model.verdict import Case, Label, Verdict

# A line of a report, not a dump: the whole reply stands in the JSON beside it.
MAX_REPLY_TEXT = 160
MAX_PEERS = 5

BEFORE = "before anything is known"
"""What the first step to a verdict is called, its prior."""

_UNITS = (("years", 31_556_952), ("days", 86_400), ("hours", 3_600), ("minutes", 60))


def ping_line(outcome: Outcome[PingResult]) -> str:
    """Say whether the host answered echo requests."""
    match outcome:
        case NotMeasured(reason):
            return f"not measured: {visible(reason)}"
        case Measured(result) if result.alive:
            rtt = "" if result.rtt_ms is None else f", {result.rtt_ms:.1f} ms"
            return f"alive, {result.received} of {counted(result.sent, 'reply', 'replies')}{rtt}"
        case Measured(result):
            return f"silent, {counted(result.sent, 'request')}"


def os_line(outcome: Outcome[OsResult]) -> str:
    """Say what nmap took the host for, and what that means."""
    match outcome:
        case NotMeasured(reason):
            return f"not measured: {visible(reason)}"
        case Measured(result):
            reading = read_os(result)
            if not result.matches:
                return "no match" + (" (timed out)" if result.timed_out else "")
            role = "" if reading.role is OsRole.OTHER else f", {reading.role}"
            return f"{visible(reading.name or '?')} ({reading.accuracy} %{role})"


def ports_line(outcome: Outcome[OsResult]) -> str:
    """List the asked ports by their state."""
    match outcome:
        case Measured(result) if result.ports:
            return "; ".join(
                f"{state} " + " ".join(str(port) for port, seen in result.ports if seen is state)
                for state in PortState
                if any(seen is state for _, seen in result.ports)
            )
        case _:
            return "none asked"


def smtp_line(outcome: Outcome[SmtpResult]) -> str:
    """Say what port 25 did."""
    match outcome:
        case NotMeasured(reason):
            return f"not measured: {visible(reason)}"
        case Measured(SmtpResult(port=PortState.OPEN) as result):
            said = [f"port 25 open, {_greeting(result)}"]
            if result.ehlo is not None:
                said.append(f"EHLO answered {result.ehlo.code}")
            if result.broke is not None:
                said.append(visible(result.broke))
            return "; ".join(said)
        case Measured(result):
            return f"port 25 {result.port}"


def dns_line(outcome: Outcome[DnsResult]) -> str:
    """Say which names the address has and what they are worth."""
    match outcome:
        case NotMeasured(reason):
            return f"not measured: {visible(reason)}"
        case Measured(result) if result.names:
            return "; ".join(_name(name) for name in result.names)
        case Measured():
            return "no PTR record"


def further_lines(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield name and line of each question that is asked only if somebody wants it."""
    asked = (
        ("windows", facts.windows),
        ("passive", facts.passive),
        ("dnsbl", facts.dnsbl),
        ("network", facts.network),
        ("proxy", facts.proxy),
        ("traffic", facts.traffic),
        ("elsewhere", facts.elsewhere),
    )
    for name, outcome in asked:
        if outcome not in {NOT_ASKED, NOTHING_OBSERVED}:
            yield name, _further_line(outcome)


def traffic_line(saw: ObservedTraffic) -> str:
    """Say what an observer saw of a host."""
    match saw:
        case MailLogTraffic():
            return f"mail log: {_mail_log(saw)}"
        case RouterTraffic():
            return f"router: {_router(saw)}"
        case ProxyTraffic():
            peers = ", ".join(map(visible, saw.peers[:MAX_PEERS])) or "an unknown host"
            more = f" and {len(saw.peers) - MAX_PEERS} more" if len(saw.peers) > MAX_PEERS else ""
            way = "ordered" if saw.role is ProxyRole.ORDERED else "carried"
            side = "through" if saw.role is ProxyRole.ORDERED else "for"
            return f"proxy traffic: {way} {counted(saw.mails, 'mail')} {side} {peers}{more}"


def _mail_log(saw: MailLogTraffic) -> str:
    refused = sum(count for _, count in saw.rejects)
    said = [
        f"{counted(saw.connects, 'connection')} ({saw.share:.1%} of all)",
        f"{counted(saw.accepted, 'mail')} taken",
        f"{refused:,} refused",
    ]
    if saw.driver_days:
        said.append(f"drove the abnormal load of {', '.join(map(str, saw.driver_days[-3:]))}")
    if saw.mx_queries:
        said.append(f"asked for {counted(saw.mx_queries, 'MX record')} itself")
    return ", ".join(said)


def _router(saw: RouterTraffic) -> str:
    said = [
        f"credit {saw.credit:,}",
        counted(saw.smtp_packets, "SMTP packet"),
        counted(saw.pop_imap_packets, "POP and IMAP packet"),
    ]
    if saw.nat:
        said.append("several hosts behind it")
    if saw.one_way:
        said.append("seen in one direction only")
    if saw.action is not RouterAction.ACCEPT:
        done = {RouterAction.DROP: "dropped", RouterAction.REDIRECT: "redirected"}[saw.action]
        said.append(f"its mail was {done}, {counted(saw.stopped, 'connection')}")
    return ", ".join(said)


def main_reason(verdict: Verdict) -> str:
    """Say in one clause why a host has its label, nothing if no rule had anything to say."""
    if verdict.label is Label.UNREACHABLE:
        return "it answers nothing"  # what its name says is no reason for this label
    return verdict.evidence[0].because if verdict.evidence else ""


def run_line(case: Case) -> str:
    """Say when the host was asked, for how long, and how long after the mail came."""
    line = f"{rfc3339(case.started.replace(microsecond=0))}, {case.seconds:.1f} s"
    if case.lag_seconds is None:
        return line
    order = "after" if case.lag_seconds >= 0 else "before"
    return f"{line}, {span(abs(case.lag_seconds))} {order} delivery"


def span(seconds: float) -> str:
    """Write a span of time in the largest unit of which there are two."""
    for unit, length in _UNITS:
        if seconds >= 2 * length:
            decimals = 1 if unit == "years" else 0
            return f"{seconds / length:.{decimals}f} {unit}"
    return counted(round(seconds), "second")


def _further_line(outcome: Outcome[object]) -> str:
    match outcome:
        case NotMeasured(reason):
            return f"not measured: {visible(reason)}"
        case Measured(result):
            return _said(result)


def _said(result: object) -> str:
    match result:
        case WindowsResult():
            said = _windows(result)
        case PassiveResult():
            said = _passive(result)
        case DnsblResult(answers=answers):
            said = "; ".join(map(_listing, answers)) or "no list asked"
        case NetworkResult():
            said = _network(result)
        case ProxyResult():
            said = _proxy(result)
        case TrafficResult():
            seen = (result.maillog, result.router, result.proxytrace)
            said = "; ".join(traffic_line(saw) for saw in seen if saw is not None) or "nothing"
        case ElsewhereResult():
            said = _elsewhere(result)
        case _:
            said = visible(str(result))
    return said


def _elsewhere(seen: ElsewhereResult) -> str:
    said = []
    if seen.alive is not None:
        said.append("alive" if seen.alive else "silent")
    if seen.port is not None:
        said.append(f"port 25 {seen.port}{', a mail server spoke' if seen.greeted else ''}")
    return f"{visible(seen.vantage)} saw it {', '.join(said) or 'without measuring it'}"


def _windows(result: WindowsResult) -> str:
    said = [*map(_windows_answer, result.answers)] or ["no service told its system"]
    opened = [str(port) for port, state in result.ports if state is PortState.OPEN]
    return "; ".join([*said, *([f"open too: {', '.join(opened)}"] if opened else [])])


def _windows_answer(answer: WindowsAnswer) -> str:
    told = (
        answer.product,
        answer.version,
        answer.computer and f"called {answer.computer}",
        answer.dialects and f"SMB {', '.join(answer.dialects)}",
    )
    said = ", ".join(visible(part) for part in told if part) or "nothing"
    return f"port {answer.port} ({visible(answer.script)}): {said}"


def _passive(result: PassiveResult) -> str:
    if not result.system:
        return "p0f knows no such signature"
    rough = ", roughly" if result.fuzzy else ""
    return visible(f"{result.system} {result.flavor or ''}".strip()) + rough


def _listing(answer: DnsblAnswer) -> str:
    if answer.failed is not None:
        said = f"not measured: {answer.failed}"
    else:
        said = " ".join(map(str, answer.codes)) or "not listed"
    return visible(f"{answer.zone}: {said}")


def _network(result: NetworkResult) -> str:
    number = None if result.asn is None else f"AS{result.asn}"
    told = [part for part in (number, result.prefix, result.country) if part]
    return visible(", ".join(told)) or "nobody could tell"


def _proxy(result: ProxyResult) -> str:
    doors = (
        f"open {door.protocol} proxy on port {door.port}, seen from {visible(door.seen_from)}"
        for door in result.open
    )
    return "; ".join(doors) or f"no open proxy, {len(result.tried)} ways tried"


def _greeting(result: SmtpResult) -> str:
    return "no greeting" if result.greeting is None else f"greets {_reply(result.greeting)}"


def _reply(reply: Reply) -> str:
    text = visible(" / ".join(reply.lines))
    return f"{reply.code} {text[:MAX_REPLY_TEXT]}" + ("…" if len(text) > MAX_REPLY_TEXT else "")


def _name(name: PtrName) -> str:
    told = {True: "forward-confirmed", False: "not confirmed", None: "could not be confirmed"}
    confirmed = told[name.confirmed]
    mx = ", an MX points here" if name.mx_points_here else ""
    return f"{visible(name.name)} ({confirmed}{mx})"
