"""Pages: what they hold, what they must never hold, and how they look in a browser."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.contract.history import Known, timeline
from botprobe.model.mail import Hop, HopStatus, Mail, Trust
from botprobe.model.observation import Observation, Suspicion
from botprobe.model.results import MailLogTraffic, ProxyRole, ProxyTraffic, RouterTraffic
from botprobe.model.verdict import Evidence, Family, Label, Verdict
from botprobe.model.weekly import Period, PlaceCount, Tallies, Week
from botprobe.report.html import report_page
from botprobe.report.pages import bars, host_page, scan_page, way
from botprobe.report.weekly import WeeklyReport, weekly_report
from tests.cases import HOST, NOON, bot_case
from tests.report.chromium import Browser, browser
from tests.report.study import OCTOBER_AND_AUGUST, made_case, report_on, study_cases

HOSTILE = 'x"><img src=//evil.example/x onerror=alert(1)><script>alert(2)</script>\x1b[31m\u202e'
WEEK = Week.parse("2026-W47")


@cache
def full_report() -> WeeklyReport:
    """Return the study's report with a trend, delays, and networks of hostile and of long names."""
    moments = [datetime(2009, 6, 1, 12, tzinfo=UTC) + timedelta(weeks=week) for week in range(20)]
    more = [
        made_case(f"2001:db8::{place:x}", moment, "modern", Label.BOT, lag=90.0 * place)
        for place, moment in enumerate(moments)
    ]
    report = report_on([*study_cases(), *more], *OCTOBER_AND_AUGUST)
    places = (
        PlaceCount(name=HOSTILE, hosts=3, bots=1, delivered=1),
        PlaceCount(name="2001:db8:ffff::/48" * 9, hosts=1_234_567, bots=1, delivered=9),
    )
    return replace(report, networks=places)


def study_page() -> str:
    """Return its page."""
    return report_page(full_report())


def hostile_hop(index: int, ip: str | None, trust: Trust | None) -> Hop:
    """Return a hop whose every text is hostile."""
    return Hop(
        index=index,
        status=HopStatus.PARSED,
        raw=HOSTILE * 40,
        ip=ip_address(ip) if ip else None,
        trust=trust,
        helo=HOSTILE,
        rdns="a" * 250,
        by=HOSTILE,
        at=NOON,
        reasons=(HOSTILE,),
    )


def hostile_scan_page() -> str:
    """Return the page of a mail that tries everything."""
    case = bot_case()
    evidence = Evidence(rule=HOSTILE, family=Family.OS, weight=2.0, because=HOSTILE)
    mail = Mail(
        file=f"new/{HOSTILE}",
        subject=HOSTILE * 5,
        sender=HOSTILE,
        recipients=(HOSTILE,),
        hops=(
            hostile_hop(0, "198.18.9.1", Trust.OWN),
            hostile_hop(1, str(HOST), Trust.BOUNDARY),
            hostile_hop(2, "198.18.7.7", Trust.CLAIMED),
            hostile_hop(3, None, None),
            hostile_hop(4, "10.0.0.1", Trust.FORGED),
        ),
    )
    judged = replace(case, verdict=replace(case.verdict, evidence=(evidence,)))
    return scan_page([mail], [judged, replace(case, refused=HOSTILE)])


SEEN = Known(
    observed=[
        Observation(address=HOST, seen=NOON, saw=saw)
        for saw in (
            MailLogTraffic(connects=500, accepted=0, driver_days=(NOON.date(),)),
            RouterTraffic(credit=1_234, smtp_packets=5_678, pop_imap_packets=0),
            ProxyTraffic(role=ProxyRole.ORDERED, mails=77, peers=(HOSTILE,)),
        )
    ],
    suspicions=[Suspicion(at=NOON, why=HOSTILE)],
)

PAGES = {
    "report": study_page,
    "empty report": lambda: report_page(
        weekly_report(Tallies(period=Period(WEEK, WEEK), compared=Period(WEEK, WEEK)), NOON)
    ),
    "host": lambda: host_page(HOST, timeline(SEEN, [bot_case()]), [bot_case()] * 30),
    "host that was only observed": lambda: host_page(HOST, timeline(SEEN, []), []),
    "scan": hostile_scan_page,
}


class Tags(HTMLParser):
    """Collects the tags of a page and what they point at."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.events: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"src", "href", "action", "data", "srcset", "poster", "xlink:href"}:
                self.links.append(value or "")
            if name.startswith("on"):
                self.events.append(name)


class TestSafety:
    def test_a_host_has_its_timeline(self) -> None:
        """What the observers saw stands before the looks, and alone if there was none."""
        probed, observed = PAGES["host"](), PAGES["host that was only observed"]()

        for page in (probed, observed):
            assert "500 connections" in page
            assert "1,234" in page
            assert "77 mails" in page
            assert page.index("mail log: ") < page.index(">suspected<")
        assert probed.index("What happened") < probed.index("What was found")
        assert "What was found" not in observed

    @pytest.mark.parametrize("name", PAGES)
    def test_no_script_and_no_request(self, name: str) -> None:
        """Whatever strangers wrote, no tag of theirs is on the page, and it points nowhere."""
        page = PAGES[name]()
        tags = Tags()
        tags.feed(page)

        assert not tags.tags & {"script", "img", "iframe", "object", "form", "base", "embed"}
        assert tags.links == ["data:,"]
        assert tags.events == []
        assert "url(" not in page
        assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page

    @pytest.mark.parametrize("name", PAGES)
    def test_no_invisible_characters(self, name: str) -> None:
        """Control and bidirectional characters are shown as escapes."""
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", PAGES[name]())


class TestReportPage:
    def test_the_same_numbers_make_the_same_page(self) -> None:
        """A page can be compared with the one before: no random identifiers are on it."""
        assert study_page() == study_page()

    def test_pictures_have_words(self) -> None:
        """Each picture says what it shows to those who cannot see it."""
        page = study_page()

        figures = page.count("<figure")
        assert figures == 4
        assert page.count('role="img" aria-label="') == figures
        assert "44 of 372 hosts told" not in page  # the IPv6 hosts of the trend are there too
        assert "Windows Server 10" in page

    def test_says_what_a_week_is(self) -> None:
        """Time zone and definition of the week stand on the page."""
        assert "ISO 8601" in study_page()
        assert "UTC" in study_page()


class TestBars:
    @given(st.lists(st.floats(-4, 4), max_size=8), st.floats(-3, 3))
    def test_bars_add_up_to_the_verdict(self, weights: list[float], prior: float) -> None:
        """The first bar begins at nothing, each where the one before ended, inside the track."""
        total = prior + sum(weights)
        verdict = Verdict(
            label=Label.UNKNOWN,
            probability=1 / (1 + math.exp(-total)),
            prior=prior,
            evidence=tuple(
                Evidence(rule="r", family=Family.OS, weight=weight, because="b")
                for weight in weights
            ),
        )

        drawn = bars(verdict)

        assert len(drawn) == len(weights) + 1
        assert sum(bar.weight for bar in drawn) == pytest.approx(total)
        for bar in drawn:
            assert bar.start >= -1e-6
            assert bar.start + bar.width <= 100 + 1e-6


class TestWay:
    def test_goes_from_the_sender_to_us(self) -> None:
        """The oldest hop stands first, as the mail went."""
        hops = (hostile_hop(0, None, Trust.OWN), hostile_hop(1, str(HOST), Trust.BOUNDARY))

        stations = way(Mail(file="x", hops=hops), {HOST: "bot"})

        assert [(station.hop.index, station.label) for station in stations] == [
            (1, "bot"),
            (0, None),
        ]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless browser."""
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.mark.browser
@pytest.mark.timeout(60)
class TestInChromium:
    @pytest.mark.parametrize("width", [390, 1280])
    @pytest.mark.parametrize("name", PAGES)
    def test_fits_and_is_quiet(
        self, chromium: Browser, tmp_path: Path, name: str, width: int
    ) -> None:
        """On a phone and on a desk, light and dark: no overflow, no message, no request."""
        path = tmp_path / "page.html"
        path.write_text(PAGES[name](), encoding="utf-8")

        for dark in (False, True):
            seen = chromium.look(path, width, dark=dark)

            assert seen.overflow <= 0
            assert seen.complaints == ()
            assert [url for url in seen.requests if not url.startswith("data:")] == []
            assert len(seen.text) > 100
