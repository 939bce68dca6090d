"""From each released schema to today's, with nothing lost."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from botprobe.errors import StoreError
from botprobe.store.migrating import STEPS, go_on, make_latest, step_of
from botprobe.store.postgres import PostgresStore
from botprobe.store.schema import LATEST_STEP, metadata
from botprobe.store.sqlite import SqliteStore
from tests.cases import HOST
from tests.postgres import Server
from tests.store.test_rebuild import PERIOD, some_mails

FIRST = (Path(__file__).parent / "schema_1.sql").read_text()
CASE = (
    'INSERT INTO "case" (ip, started, seconds, probed, label, probability, document)'
    " VALUES ('198.18.10.9', 1, 1, 1, 'bot', 1, '{}')"
)


def differences(connection: Connection) -> list[object]:
    """Return in what the tables differ from those of today."""
    found = compare_metadata(MigrationContext.configure(connection), metadata)
    return [one for one in found if "hop_" not in str(one)]  # the months of a divided table


class TestSteps:
    def test_the_last_one_is_named(self) -> None:
        """A step that is added is also the one that stores must have made."""
        steps = sorted(path.name[:4] for path in (STEPS / "versions").glob("[0-9]*.py"))

        assert steps[-1] == LATEST_STEP

    @pytest.mark.parametrize("tables", ["all", "some"])
    def test_a_file_of_the_first_release_becomes_todays(self, tmp_path: Path, tables: str) -> None:
        """All tables and indexes are there afterwards, and so is what was kept."""
        path = tmp_path / "cases.sqlite"
        connection = sqlite3.connect(path)
        connection.executescript(FIRST)
        if tables == "some":
            connection.executescript("DROP TABLE host_week; DROP TABLE week_tally")
        connection.close()
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as opened:
            opened.execute(text("INSERT INTO mail (key, file, document) VALUES ('k', 'f', '{}')"))

            changed = make_latest(opened)

            assert (changed, step_of(opened)) == (True, LATEST_STEP)
            assert differences(opened) == []
            assert opened.execute(text("SELECT key, file FROM mail")).all() == [("k", "f")]
            assert not make_latest(opened)
        engine.dispose()

    async def test_an_opened_file_is_todays(self, tmp_path: Path) -> None:
        """Whoever has the embedded store need not know of steps."""
        path = tmp_path / "cases.sqlite"
        connection = sqlite3.connect(path)
        connection.executescript(FIRST)
        connection.close()

        async with SqliteStore(path) as store:
            await store.add_mail(some_mails()[0])
            found = await store.tallies(PERIOD, PERIOD.before, trend_weeks=1)
            assert await store.sightings(HOST, 9)

        assert found.mails.mails == 1

    async def test_a_newer_file_is_left_alone(self, tmp_path: Path) -> None:
        """A step that this program does not know makes it stop."""
        path = tmp_path / "cases.sqlite"
        async with SqliteStore(path):
            pass
        connection = sqlite3.connect(path)
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        connection.close()

        with pytest.raises(
            StoreError, match=r"is of a newer botprobe \(schema 9999, .*\): update botprobe"
        ):
            async with SqliteStore(path):
                pass


@pytest.mark.postgres
class TestPostgres:
    async def test_all_steps_make_todays_tables(self, postgres: Server) -> None:
        """A database that went through the steps is the same as one that began with today's."""
        url = postgres.new_database()
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE alembic_version (version_num varchar(32))"))

            make_latest(connection)

            assert differences(connection) == []
        engine.dispose()

    async def test_an_older_database_is_upgraded_on_demand_only(self, postgres: Server) -> None:
        """Nobody changes the tables below others' feet: a worker says what has to be run."""
        url = postgres.new_database()
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            go_on(connection, "0001")
            connection.execute(text("INSERT INTO mail (key, file, document) VALUES ('k', 'f', '')"))
            connection.execute(text("INSERT INTO hop (mail_id, position, ip) VALUES (1, 0, 'x')"))
        engine.dispose()

        with pytest.raises(StoreError, match="run botprobe store upgrade"):
            async with PostgresStore(url):
                pass
        async with PostgresStore(url, make_tables=True) as store:
            assert (await store.queue_status()).workers == ()
            rows = {one.what: one.rows for one in await store.examine()}

        assert (rows["mail"], rows["hop"]) == (1, 1)
