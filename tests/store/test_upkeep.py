"""Checking, copying and trimming stores."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text

from botprobe.errors import StoreError
from botprobe.store.database import SqlStore
from botprobe.store.months import first_number, month_of, open_month
from botprobe.store.postgres import PostgresStore
from botprobe.store.schema import mails
from botprobe.store.sqlite import SqliteStore
from tests.cases import HOST
from tests.postgres import Server
from tests.store.test_hosts import DAY, arrival, case_of, claim_all

OTHER = ip_address("2001:db8::1")


async def fill(store: SqlStore) -> None:
    """Keep two mails of two hosts, one case, and a look that is planned."""
    await store.take([arrival("1", HOST), arrival("2", OTHER)], DAY)
    first, _ = await claim_all(store)
    await store.finish(first, case_of(first), datetime.now(UTC) + DAY)


async def rows_of(store: SqlStore) -> dict[str, int]:
    """Return how many rows each table has, and each fault."""
    return {one.what: one.rows for one in await store.examine()}


def told(_table: str, _rows: int) -> None:
    """Listen to nobody."""


class TestExamine:
    async def test_counts_what_is_kept(self, store: SqlStore) -> None:
        """A whole store has rows and no faults."""
        await fill(store)

        found = await store.examine()

        rows = {one.what: one.rows for one in found}
        assert (rows["mail"], rows["hop"], rows["host"], rows["case"]) == (2, 2, 2, 1)
        assert [one for one in found if one.is_fault and one.rows] == []

    async def test_finds_what_is_torn_apart(self, tmp_path: Path) -> None:
        """A hop whose mail is gone is a fault."""
        path = tmp_path / "cases.sqlite"
        async with SqliteStore(path) as store:
            await fill(store)
        connection = sqlite3.connect(path)
        connection.execute("DELETE FROM mail WHERE id = 1")
        connection.commit()
        connection.close()

        async with SqliteStore(path) as store:
            faults = [one.what for one in await store.examine() if one.is_fault and one.rows]

        assert faults == ["hops without their mail", "deliveries without their mail"]


class TestForget:
    async def test_the_old_goes_and_the_planned_stays(self, store: SqlStore) -> None:
        """What is older is deleted; who is planned, and the counts of weeks, are not."""
        await fill(store)
        weeks = (await rows_of(store))["host_week"]

        nothing = await store.forget(timedelta(days=9000))
        gone = await store.forget(timedelta(seconds=-5))

        left = await rows_of(store)
        assert sum(nothing.values()) == 0
        assert gone == {"hop": 2, "delivery": 2, "mail": 2, "case": 1, "host": 0}
        assert (left["mail"], left["host"], left["host_week"]) == (0, 2, weeks)


@pytest.mark.postgres
class TestMonths:
    async def test_a_month_goes_in_one_stroke(self, postgres: Server) -> None:
        """The sightings of a month have a table of their own, which goes with its mails."""
        now = datetime.now(UTC)
        long_ago = now - timedelta(days=100)
        async with PostgresStore(postgres.new_database(), make_tables=True) as store:
            await store.take([arrival("1", HOST)], DAY)
            await store._write(lambda connection: age(connection, month_of(long_ago)))
            await store.take([arrival("2", HOST)], DAY)
            before = await rows_of(store)

            await store.forget(timedelta(days=60))

            after = await rows_of(store)
            assert len(await store.sightings(HOST, 9)) == 1
        assert (before["mail"], before["hop"], before["delivery"]) == (2, 2, 2)
        assert (after["mail"], after["hop"], after["delivery"]) == (1, 1, 1)

    async def test_numbers_begin_anew_with_each_month(self, postgres: Server) -> None:
        """Whoever comes in December gets December's numbers, and nobody gets November's again."""
        december = datetime(2046, 12, 1, tzinfo=UTC)
        async with PostgresStore(postgres.new_database(), make_tables=True) as store:
            await store.take([arrival("1", HOST)], DAY)
            await store._write(lambda c: open_month(c, december))
            await store._write(lambda c: open_month(c, datetime.now(UTC)))
            await store.take([arrival("2", HOST)], DAY)

            numbers = await store._read(lambda c: c.scalars(select(mails.c.id)).all())

        assert sorted(numbers)[1] > first_number(month_of(december))


def age(connection: Connection, month: int) -> None:
    """Let all mails have come in another month."""
    open_month(connection, datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC))
    connection.execute(text("SET session_replication_role = replica"))  # no foreign keys for now
    shift = first_number(month) - first_number(month_of(datetime.now(UTC)))
    for table, column in (("hop", "mail_id"), ("delivery", "mail_id"), ("mail", "id")):
        moved = f"UPDATE {table} SET {column} = {column} + {shift}"  # noqa: S608  # our own words
        connection.execute(text(moved))
    connection.execute(text("SET session_replication_role = DEFAULT"))


@pytest.mark.postgres
class TestCopy:
    async def test_nothing_is_lost(self, tmp_path: Path, postgres: Server) -> None:
        """All rows come over, numbers go on behind them, and work goes on where it was."""
        url = postgres.new_database()
        async with (
            SqliteStore(tmp_path / "cases.sqlite") as old,
            PostgresStore(url, make_tables=True) as new,
        ):
            await fill(old)
            odd = arrival("3", HOST)
            await old.take([replace(odd, mail=replace(odd.mail, message_id="nul\0inside"))], DAY)
            await new.copy_from(old, told)

            before, after = await rows_of(old), await rows_of(new)
            before.pop("damaged pages or indexes")
            assert after == before
            assert await new.cases(HOST) == await old.cases(HOST)
            await new.take([arrival("4", OTHER)], DAY)
            assert len(await new.sightings(OTHER, 9)) == 2
            assert (await new.history(HOST)) == (await old.history(HOST))

    async def test_a_store_that_holds_something_is_left_alone(
        self, tmp_path: Path, postgres: Server
    ) -> None:
        """Two histories are not mixed."""
        async with (
            SqliteStore(tmp_path / "cases.sqlite") as old,
            PostgresStore(postgres.new_database(), make_tables=True) as new,
        ):
            await fill(old)
            await fill(new)

            with pytest.raises(StoreError, match="holds rows in"):
                await new.copy_from(old, told)

            assert (await rows_of(new))["mail"] == 2
