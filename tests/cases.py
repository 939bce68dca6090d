"""Cases to test with: small factories, and strategies for anything that a case may hold."""

from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address

from hypothesis import strategies as st

from botprobe.model.facts import Facts
from botprobe.model.mail import Trust
from botprobe.model.outcome import Measured, NotMeasured, Outcome
from botprobe.model.results import (
    DnsblAnswer,
    DnsblResult,
    DnsResult,
    ElsewhereResult,
    MailLogTraffic,
    NetworkResult,
    OpenDoor,
    OsClass,
    OsMatch,
    OsResult,
    PassiveResult,
    PingResult,
    PortState,
    ProxyProtocol,
    ProxyResult,
    ProxyRole,
    ProxyTraffic,
    PtrName,
    Reply,
    RouterTraffic,
    SmtpResult,
    TrafficResult,
    WindowsAnswer,
    WindowsResult,
)
from botprobe.model.target import Sighting, Target
from botprobe.model.verdict import Case, Evidence, Family, Label, Verdict

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOST = ip_address("198.18.10.1")

moments = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001  # hypothesis wants bounds without a zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
texts = st.text(max_size=20)
percents = st.integers(0, 100)
seconds = st.floats(0, 1000).map(lambda value: round(value, 3))
replies = st.builds(Reply, st.integers(200, 599), st.tuples(texts) | st.tuples(texts, texts))
ports = st.dictionaries(st.integers(1, 65535), st.sampled_from(PortState), max_size=5).map(
    lambda states: tuple(sorted(states.items()))
)
os_classes = st.builds(
    OsClass,
    vendor=texts,
    family=texts,
    generation=st.none() | texts,
    type=st.none() | texts,
    accuracy=percents,
    cpe=st.lists(texts, max_size=2).map(tuple),
)
os_matches = st.builds(
    OsMatch, name=texts, accuracy=percents, classes=st.lists(os_classes, max_size=2).map(tuple)
)
ping_results = st.builds(
    PingResult, sent=st.integers(0, 9), received=st.integers(0, 9), rtt_ms=st.none() | seconds
)
os_results = st.builds(
    OsResult,
    matches=st.lists(os_matches, max_size=3).map(tuple),
    ports=ports,
    fingerprint=st.none() | texts,
    distance=st.none() | st.integers(0, 64),
    timed_out=st.booleans(),
    nmap_version=texts,
)
smtp_results = st.builds(
    SmtpResult,
    port=st.sampled_from(PortState),
    greeting=st.none() | replies,
    ehlo=st.none() | replies,
    greeting_seconds=st.none() | seconds,
    broke=st.none() | texts,
)
dns_results = st.builds(
    DnsResult,
    names=st.lists(
        st.builds(
            PtrName,
            name=texts,
            confirmed=st.booleans(),
            mx=st.lists(texts, max_size=2).map(tuple),
            mx_points_here=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
)
dnsbl_results = st.builds(
    DnsblResult,
    answers=st.lists(
        st.builds(
            DnsblAnswer,
            zone=texts,
            codes=st.lists(st.builds(IPv4Address, st.integers(0, 2**32 - 1)), max_size=2).map(
                tuple
            ),
            failed=st.none() | texts,
        ),
        max_size=2,
    ).map(tuple),
)
windows_results = st.builds(
    WindowsResult,
    answers=st.lists(
        st.builds(
            WindowsAnswer,
            port=st.integers(1, 65535),
            script=texts,
            version=st.none() | texts,
            product=st.none() | texts,
            computer=st.none() | texts,
        ),
        max_size=2,
    ).map(tuple),
)
doors = st.tuples(st.integers(1, 65535), st.sampled_from(ProxyProtocol))
proxy_results = st.builds(
    ProxyResult,
    tried=st.lists(doors, max_size=2).map(tuple),
    open=st.lists(
        st.builds(
            OpenDoor,
            port=st.integers(1, 65535),
            protocol=st.sampled_from(ProxyProtocol),
            seen_from=texts,
        ),
        max_size=2,
    ).map(tuple),
)
passive_results = st.builds(
    PassiveResult,
    system=st.none() | texts,
    flavor=st.none() | texts,
    fuzzy=st.booleans(),
    distance=st.none() | st.integers(0, 64),
    last_seen=st.none() | moments,
)
network_results = st.builds(
    NetworkResult,
    asn=st.none() | st.integers(0, 2**32 - 1),
    prefix=st.none() | texts,
    country=st.none() | texts,
)
counts = st.integers(0, 2**31)
traffic_results = st.builds(
    TrafficResult,
    maillog=st.none()
    | st.builds(
        MailLogTraffic,
        connects=counts,
        accepted=counts,
        rejects=st.lists(st.tuples(texts, counts), max_size=2).map(tuple),
        share=st.floats(0, 1),
        driver_days=st.lists(st.dates(), max_size=2).map(tuple),
        mx_queries=counts,
    ),
    router=st.none()
    | st.builds(
        RouterTraffic,
        credit=st.integers(-(2**31), 2**31),
        smtp_packets=counts,
        pop_imap_packets=counts,
        nat=st.none() | st.booleans(),
        one_way=st.booleans(),
    ),
    proxytrace=st.none()
    | st.builds(
        ProxyTraffic,
        role=st.sampled_from(ProxyRole),
        mails=counts,
        peers=st.lists(texts, max_size=7).map(tuple),
    ),
)
elsewhere_results = st.builds(
    ElsewhereResult,
    vantage=texts,
    alive=st.none() | st.booleans(),
    port=st.none() | st.sampled_from(PortState),
    greeted=st.booleans(),
)
not_measured = st.builds(NotMeasured, texts)


def outcomes(results: st.SearchStrategy[object]) -> st.SearchStrategy[Outcome[object]]:
    """Return a strategy for outcomes of one kind of result."""
    return not_measured | st.builds(Measured, results, moments, seconds)


facts_of_any_kind = st.builds(
    Facts,
    ping=outcomes(ping_results),
    os=outcomes(os_results),
    smtp=outcomes(smtp_results),
    dns=outcomes(dns_results),
    dnsbl=outcomes(dnsbl_results),
    windows=outcomes(windows_results),
    proxy=outcomes(proxy_results),
    passive=outcomes(passive_results),
    network=outcomes(network_results),
    traffic=outcomes(traffic_results),
    elsewhere=outcomes(elsewhere_results),
)


def measured(result: object) -> Measured[object]:
    """Return an outcome that took a second."""
    return Measured(result, NOON, 1.0)


def windows_xp() -> OsResult:
    """Return what nmap says of a Windows XP with SMB open."""
    xp = OsClass(
        vendor="Microsoft",
        family="Windows",
        generation="XP",
        type="general purpose",
        accuracy=100,
        cpe=("cpe:/o:microsoft:windows_xp::sp3",),
    )
    return OsResult(
        matches=(OsMatch(name="Microsoft Windows XP SP3", accuracy=100, classes=(xp,)),),
        ports=((25, PortState.CLOSED), (445, PortState.OPEN)),
    )


def bot_facts() -> Facts:
    """Return the facts of a client Windows that takes no mail."""
    return Facts(
        ping=Measured(PingResult(sent=3, received=3, rtt_ms=41.5), NOON, 1.0),
        os=Measured(windows_xp(), NOON, 4.0),
        smtp=Measured(SmtpResult(port=PortState.CLOSED), NOON, 0.1),
        dns=Measured(DnsResult(names=()), NOON, 0.2),
    )


def sighting() -> Sighting:
    """Return the boundary hop of a mail."""
    return Sighting(
        file="new/1.mail",
        message_id="<1@spam.example>",
        sender="seller@spam.example",
        recipients=("trap@trap.example",),
        hop=0,
        trust=Trust.BOUNDARY,
        helo="mail.bank.example",
        at=NOON,
        delivered_at=NOON,
    )


def bot_case() -> Case:
    """Return the case of a bot."""
    evidence = Evidence(
        rule="client-windows", family=Family.OS, weight=2.0, because="Windows XP is a client"
    )
    return Case(
        target=Target(HOST, (sighting(),)),
        started=NOON,
        seconds=4.2,
        lag_seconds=3.0,
        facts=bot_facts(),
        verdict=Verdict(
            label=Label.BOT,
            probability=0.97,
            client_windows_without_mail_service=True,
            prior=-1.046,
            evidence=(evidence,),
            would_change=("a greeting on port 25 would make it unknown",),
            rules="1 (sha256:00000000)",
        ),
    )
