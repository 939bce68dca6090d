"""Hypothesis strategies over everything that a verdict may stand on."""

from datetime import UTC, date, datetime
from ipaddress import IPv4Address

from hypothesis import strategies as st

from botprobe.model.facts import Facts
from botprobe.model.mail import Trust
from botprobe.model.outcome import Measured, NotMeasured
from botprobe.model.results import (
    DnsblAnswer,
    DnsblResult,
    DnsResult,
    MailLogTraffic,
    OsResult,
    PingResult,
    PortState,
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
from tests.classify.builders import (
    ADDRESS,
    DYNAMIC_NAME,
    LINUX,
    MAIL_NAME,
    PRINTER,
    ROUTER,
    SERVER,
    SEVEN,
    XP,
    match,
    measured,
)

NOT_MEASURED = st.just(NotMeasured("not asked"))
PORT_STATES = st.sampled_from(PortState)
SYSTEMS = st.sampled_from(
    (XP, SEVEN, SERVER, LINUX, ROUTER, PRINTER, match("Microsoft Windows 7", "7", accuracy=93))
)
NAMES = st.one_of(
    st.sampled_from((DYNAMIC_NAME, MAIL_NAME, "static-1.isp.example", "www.firm.example")),
    st.text(max_size=30),
)
REPLIES = st.builds(
    Reply,
    st.sampled_from((220, 250, 421, 554)),
    st.lists(NAMES, max_size=2).map(tuple),
)
HELOS = st.one_of(
    st.none(),
    st.sampled_from(("localhost", "203.0.113.1", "[10.0.0.1]", "gmail.com", "PC", MAIL_NAME)),
    st.text(max_size=30),
)

PINGS = st.builds(PingResult, sent=st.just(2), received=st.integers(0, 2))
OS_RESULTS = st.builds(
    OsResult,
    matches=st.lists(SYSTEMS, max_size=3).map(tuple),
    ports=st.dictionaries(
        st.sampled_from((21, 22, 25, 80, 110, 135, 139, 143, 443, 445)), PORT_STATES
    ).map(lambda ports: tuple(sorted(ports.items()))),
)
SMTP_RESULTS = st.one_of(
    st.builds(SmtpResult, port=st.sampled_from((PortState.CLOSED, PortState.FILTERED))),
    st.builds(
        SmtpResult,
        port=st.just(PortState.OPEN),
        greeting=st.one_of(st.none(), REPLIES),
        ehlo=st.one_of(st.none(), REPLIES),
    ),
)
DNS_RESULTS = st.builds(
    DnsResult,
    names=st.lists(
        st.builds(
            PtrName,
            name=NAMES,
            confirmed=st.sampled_from((True, False, None)),
            mx_points_here=st.sampled_from((True, False, None)),
        ),
        max_size=2,
    ).map(tuple),
)

DNSBL_RESULTS = st.builds(
    DnsblResult,
    answers=st.lists(
        st.builds(
            DnsblAnswer,
            zone=st.sampled_from(("zen.spamhaus.org", "bl.spamcop.net", "unheard.of.example")),
            codes=st.lists(
                st.sampled_from(("127.0.0.2", "127.0.0.4", "127.0.0.10", "127.255.255.254")).map(
                    IPv4Address
                ),
                max_size=2,
            ).map(tuple),
            failed=st.sampled_from((None, "timed out")),
        ),
        max_size=2,
    ).map(tuple),
)
WINDOWS_RESULTS = st.builds(
    WindowsResult,
    answers=st.lists(
        st.builds(
            WindowsAnswer,
            port=st.just(3389),
            script=st.just("rdp-ntlm-info"),
            version=st.sampled_from((None, "5.1.2600", "6.1.7601", "10.0.20348", "nonsense")),
            product=st.sampled_from((None, "Windows Server 2016 Standard 14393", "Windows XP")),
        ),
        max_size=2,
    ).map(tuple),
)

TRAFFIC_RESULTS = st.builds(
    TrafficResult,
    maillog=st.one_of(
        st.none(),
        st.builds(
            MailLogTraffic,
            connects=st.just(100),
            accepted=st.integers(0, 40),
            rejects=st.sampled_from(((), (("user unknown", 300),))),
            driver_days=st.sampled_from(((), (date(2026, 11, 20),))),
            mx_queries=st.sampled_from((0, 500)),
        ),
    ),
    router=st.one_of(
        st.none(),
        st.builds(
            RouterTraffic,
            credit=st.integers(-500, 500),
            smtp_packets=st.integers(0, 500),
            pop_imap_packets=st.integers(0, 500),
            nat=st.sampled_from((None, True, False)),
            one_way=st.booleans(),
        ),
    ),
    proxytrace=st.one_of(
        st.none(), st.builds(ProxyTraffic, role=st.sampled_from(ProxyRole), mails=st.just(7))
    ),
)
SEEN = st.sampled_from((datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)))

FACTS = st.builds(
    Facts,
    ping=st.one_of(NOT_MEASURED, PINGS.map(measured)),
    os=st.one_of(NOT_MEASURED, OS_RESULTS.map(measured)),
    smtp=st.one_of(NOT_MEASURED, SMTP_RESULTS.map(measured)),
    dns=st.one_of(NOT_MEASURED, DNS_RESULTS.map(measured)),
    dnsbl=st.one_of(NOT_MEASURED, DNSBL_RESULTS.map(measured)),
    windows=st.one_of(NOT_MEASURED, WINDOWS_RESULTS.map(measured)),
    traffic=st.one_of(
        NOT_MEASURED, st.builds(Measured, TRAFFIC_RESULTS, started=SEEN, seconds=st.just(0.0))
    ),
)
TARGETS = st.builds(
    Target,
    st.just(ADDRESS),
    st.lists(
        st.builds(
            Sighting,
            file=st.just("spam.eml"),
            message_id=st.none(),
            sender=st.none(),
            recipients=st.just(("someone@trap.example",)),
            hop=st.just(0),
            trust=st.sampled_from((Trust.BOUNDARY, Trust.CLAIMED)),
            helo=HELOS,
            auth=st.sampled_from((None, "bob")),
        ),
        max_size=3,
    ).map(tuple),
)
LAGS = st.one_of(st.none(), st.floats(0, 1e7))
