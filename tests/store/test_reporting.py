"""The weekly roll-up and the queries over it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, text

from botprobe.model.mail import Trust
from botprobe.model.observation import Observation
from botprobe.model.results import RouterAction, RouterTraffic
from botprobe.model.verdict import Label
from botprobe.model.weekly import Period, Tallies, Week
from botprobe.store.dossiers import add_observations
from botprobe.store.reporting import (
    hosts_statement,
    hosts_table,
    tallies,
    trend_statement,
)
from botprobe.store.rollup import count_case, count_mail, refusal_kind
from botprobe.store.routercounts import router_statement
from botprobe.store.schema import metadata
from tests.report.study import made_case

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
WEEK = Week.parse("2026-W47")
THIS = Period(WEEK, WEEK)
BOUNDARY, CLAIMED = str(Trust.BOUNDARY), str(Trust.CLAIMED)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A store's tables, empty, in each kind of database."""
    url = "sqlite://"
    if request.param == "postgres":
        made: str = request.getfixturevalue("postgres").new_database()
        url = made.replace("postgresql:", "postgresql+psycopg:")
    yield from _connection(url)


@pytest.fixture
def sqlite_connection() -> Iterator[Connection]:
    """A store's tables in memory."""
    yield from _connection("sqlite://")


def _connection(url: str) -> Iterator[Connection]:
    engine = create_engine(url)
    with engine.begin() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()


def counted(connection: Connection, period: Period = THIS) -> Tallies:
    """Count a period and the one before it."""
    return tallies(connection, period, period.before, trend_weeks=4)


class TestMails:
    def test_mail_counts_in_the_week_of_its_delivery(self, connection: Connection) -> None:
        """The first second of a Monday belongs to the new week, the one before to the old."""
        for moment in (MONDAY - timedelta(seconds=1), MONDAY, MONDAY + timedelta(days=6.9)):
            count_mail(connection, moment.timestamp(), "198.18.0.1", [(BOUNDARY, "198.18.0.1")])

        found = counted(connection)

        assert found.mails.mails == 2
        assert found.mails_before.mails == 1

    def test_undated_mail_is_in_no_week_and_yet_told(self, connection: Connection) -> None:
        """A mail without a believable date is counted apart: no date is invented."""
        count_mail(connection, None, None, [(None, None)])

        found = counted(connection)

        assert (found.mails.mails, found.undated) == (0, 1)

    def test_hops_are_counted_by_trust_and_addresses_once(self, connection: Connection) -> None:
        """Two hops of one mail with one address are two hops, but one address and one mail."""
        hops = [(BOUNDARY, "198.18.0.1"), (CLAIMED, "::ffff:198.18.0.1"), (CLAIMED, "198.18.0.1")]
        count_mail(connection, MONDAY.timestamp(), "198.18.0.1", [*hops, (None, None)])

        found = counted(connection)

        assert dict(found.mails.hops) == {"boundary": 1, "claimed": 2, "none": 1}
        assert dict(found.mails.addresses)["claimed"] == 1
        assert [(group.hosts, group.delivered) for group in found.groups] == [(1, 1)]

    def test_own_hosts_are_no_addresses(self, connection: Connection) -> None:
        """Our own relays are counted as hops and never as hosts of the outside."""
        count_mail(connection, MONDAY.timestamp(), None, [(str(Trust.OWN), "198.18.0.9")])

        found = counted(connection)

        assert dict(found.mails.hops) == {"own": 1}
        assert found.mails.without_boundary == 1
        assert found.groups == ()


class TestHosts:
    def test_the_latest_look_counts(self, connection: Connection) -> None:
        """Of several looks in a period the latest says how the host stands, in any order."""
        late = made_case("198.18.0.1", MONDAY + timedelta(hours=9), "client", Label.BOT)
        early = made_case("198.18.0.1", MONDAY + timedelta(hours=1), None, Label.UNKNOWN)
        for case in (late, early):
            count_case(connection, case)

        [group] = counted(connection).groups

        assert group.now is not None
        assert group.now.label is Label.BOT

    def test_a_refusal_hides_no_look(self, connection: Connection) -> None:
        """Whoever was probed this week stays so, though the cool-down refused a second time."""
        count_case(connection, made_case("198.18.0.1", MONDAY, "client", Label.BOT))
        later = MONDAY + timedelta(hours=1)
        count_case(
            connection,
            made_case("198.18.0.1", later, label=Label.NOT_PROBED, refused="cool-down: at 9"),
        )

        [group] = counted(connection).groups

        assert group.now is not None
        assert group.now.refused is None

    def test_over_many_weeks_each_host_counts_once(self, connection: Connection) -> None:
        """A host that was seen in each of six weeks is one host with six mails, as last seen."""
        for week in range(6):
            moment = MONDAY - timedelta(weeks=week)
            count_mail(connection, moment.timestamp(), "198.18.0.1", [(BOUNDARY, "198.18.0.1")])
            label = Label.BOT if week == 0 else Label.UNKNOWN
            count_case(connection, made_case("198.18.0.1", moment, "client", label))

        [group] = counted(connection, Period(WEEK + -5, WEEK)).groups

        assert (group.hosts, group.delivered) == (1, 6)
        assert group.now is not None
        assert group.now.label is Label.BOT

    def test_new_and_vanished_bots(self, connection: Connection) -> None:
        """A bot is new if it was none before, and vanished if it is none now."""
        before = MONDAY - timedelta(weeks=1)
        for ip, moment, label in (
            ("198.18.0.1", before, Label.BOT),
            ("198.18.0.1", MONDAY, Label.BOT),
            ("198.18.0.2", before, Label.BOT),
            ("198.18.0.3", before, Label.UNKNOWN),
            ("198.18.0.3", MONDAY, Label.BOT),
        ):
            count_case(connection, made_case(ip, moment, "client", label))

        found = counted(connection)

        assert [host.ip for host in found.new_bots] == ["198.18.0.3"]
        assert [host.ip for host in found.vanished_bots] == ["198.18.0.2"]

    def test_countries_come_from_whoever_knows_them(self, connection: Connection) -> None:
        """Addresses are counted under the country that the look-up gives, the rest apart."""
        for ip in ("198.18.0.1", "198.18.0.2", "198.18.0.3"):
            count_case(connection, made_case(ip, MONDAY, "client", Label.BOT))

        found = tallies(
            connection,
            THIS,
            THIS.before,
            trend_weeks=1,
            locate=lambda ip: None if ip.endswith("3") else "JP",
        )

        assert [(place.name, place.hosts) for place in found.countries] == [
            ("JP", 2),
            ("not known", 1),
        ]


class TestRefusalKind:
    @pytest.mark.parametrize(
        ("reason", "kind"),
        [
            ("cool-down: probed at 2026-11-22 10:00:00Z", "cool-down"),
            (
                "budget of 198.18.0.0/24 for a day is spent",
                "budget of a network for a day is spent",
            ),
            ("own network", "own network"),
        ],
    )
    def test_what_differs_from_host_to_host_is_left_out(self, reason: str, kind: str) -> None:
        """Reasons are counted by kind: no times, no networks."""
        assert refusal_kind(reason) == kind

    @given(st.text(max_size=300))
    def test_any_reason_is_short(self, reason: str) -> None:
        """A reason from anywhere fits its column."""
        assert len(refusal_kind(reason)) <= 80


class TestPlans:
    @pytest.mark.parametrize("weeks", [1, 4, 53])
    def test_no_table_is_read_past_an_index(
        self, sqlite_connection: Connection, weeks: int
    ) -> None:
        """Short periods read the covering index, long ones the primary key in its order."""
        connection = sqlite_connection
        table = hosts_table("report_plan")
        table.create(connection)
        period = Period(WEEK + (1 - weeks), WEEK)
        for statement in (hosts_statement(connection, table, period), trend_statement(WEEK, weeks)):
            written = statement.compile(connection, compile_kwargs={"literal_binds": True})
            plan = [
                row[3]
                for row in connection.execute(text(f"EXPLAIN QUERY PLAN {written}"))
                if "host_week" in row[3]
            ]

            [step] = plan
            long = weeks > 4 and "INSERT" in str(written)
            index = "PRIMARY KEY (ip>?)" if long else "COVERING INDEX host_week_by_"
            assert step.startswith(f"SEARCH host_week USING {index}")


class TestRouter:
    def seen(self, host: int, day: int, action: RouterAction, **more: Any) -> Observation:
        """Make what a router wrote down of a host on a day of the week."""
        return Observation(
            address=ip_address(f"198.18.0.{host}"),
            seen=MONDAY + timedelta(days=day),
            saw=RouterTraffic(
                credit=100 * host, smtp_packets=1, pop_imap_packets=0, action=action, **more
            ),
        )

    def test_each_host_counts_as_it_was_last_seen_in_the_week(self, connection: Connection) -> None:
        """A bot that was only counted on Monday and dropped on Friday was dropped."""
        accept, drop, redirect = RouterAction
        add_observations(
            connection,
            [
                self.seen(1, 0, accept, suspect=True),
                self.seen(1, 4, drop, suspect=True, stopped=7),
                self.seen(2, 6, redirect, suspect=True, stopped=2),
                self.seen(3, 1, accept),
                self.seen(4, -1, drop, suspect=True, stopped=5),
                self.seen(5, 7, drop, suspect=True, stopped=9),
            ],
        )

        tallied = counted(connection)
        found, before = tallied.router, tallied.router_before

        assert (found.hosts, found.suspects, found.stopped) == (3, 2, 9)
        assert (found.dropped, found.redirected) == (1, 1)
        assert [(one.ip, one.action) for one in found.listed] == [
            ("198.18.0.2", redirect),
            ("198.18.0.1", drop),
        ]
        assert (before.hosts, before.stopped) == (1, 5)

    def test_the_weeks_are_found_through_an_index(self, sqlite_connection: Connection) -> None:
        """A dossier grows for years."""
        written = router_statement(THIS).compile(
            sqlite_connection, compile_kwargs={"literal_binds": True}
        )

        [step] = sqlite_connection.execute(text(f"EXPLAIN QUERY PLAN {written}")).all()

        assert "SEARCH observation USING INDEX observation_by_time" in step[3]
