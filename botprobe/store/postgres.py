"""The store that many machines share: a PostgreSQL database.

Each process holds two connections, each in a thread of its own: claims do not wait for what others
commit. Rows are locked one by one, and all who wait for the same ones take them in the same order.
Whoever shares the store goes by the clock of the database, whatever the own one says.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    text,
)

from botprobe.errors import ConfigError, StoreError
from botprobe.model.mail import Mail
from botprobe.model.work import Arrival, Claim
from botprobe.store.audit import Request
from botprobe.store.claims import Bid
from botprobe.store.database import SqlStore
from botprobe.store.migrating import check_step, make_latest, step_of
from botprobe.store.months import drop_months, month_of, open_month
from botprobe.store.schema import LATEST_STEP
from botprobe.store.upkeep import Copied

# A cut link is noticed within so many seconds, and not after the kernel's two hours.
LINK: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

# The server's side of it: a client that is gone or frozen holds no lock for longer, on which all
# others would wait, and not for the kernel's two hours.
SESSION = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15s",
    "idle_in_transaction_session_timeout": "15s",
}

# Number of the lock that whoever makes or changes tables holds: "botprobe" in bytes.
TABLES_LOCK = int.from_bytes(b"botprobe")
CLAIM_LOCK = TABLES_LOCK + 1
SPEND_LOCK = TABLES_LOCK + 2

_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")
_NOTIFY = text("NOTIFY botprobe")
_NOT_DURABLE = text("SET LOCAL synchronous_commit TO off")

T = TypeVar("T")


class PostgresStore(SqlStore):
    """Keeps cases in the database that a libpq connection string names.

    Raises:
        ConfigError: it is no connection string.
    """

    def __init__(self, url: str, *, per_network: int = 8, make_tables: bool = False) -> None:
        self.conninfo = conninfo(url)
        super().__init__(shown(url), per_network)
        self._make_tables = make_tables
        self._month: int | None = None
        self._claims = ThreadPoolExecutor(max_workers=1, thread_name_prefix="claims")

    def _connect(self) -> Engine:
        return create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(self.conninfo),
            pool_size=2,  # one for claims
            pool_pre_ping=True,
        )

    def _prepare_tables(self, connection: Connection) -> None:
        if self._make_tables:
            connection.execute(_LOCK, {"lock": TABLES_LOCK})
        step = step_of(connection)
        check_step(self.name, step)
        if self._make_tables:
            make_latest(connection)
            open_month(connection, self._now(connection))
        elif step is None:
            raise StoreError(f"store {self.name} holds no tables yet: run botprobe store init")
        elif step != LATEST_STEP:
            raise StoreError(
                f"store {self.name} is of an older botprobe: run botprobe store upgrade"
            )

    async def take(self, arrivals: Sequence[Arrival], cooldown: timedelta) -> Sequence[Arrival]:
        """Keep mails, plan their hosts and mark their files as taken: all of it or nothing."""
        await self._turn_month()
        return await super().take(arrivals, cooldown)

    async def add_mail(self, mail: Mail) -> None:
        """Keep a mail and its hops; the same mail once more changes nothing."""
        await self._turn_month()
        await super().add_mail(mail)

    async def copy_from(self, source: SqlStore, told: Copied) -> None:
        """Copy all that another store holds; what comes after it gets the numbers of its month."""
        await super().copy_from(source, told)
        self._month = None

    async def forget(self, keep: timedelta) -> Mapping[str, int]:
        """Delete what is older than so long: whole months of sightings first, in one stroke."""
        months = await self._write(lambda c: drop_months(c, self._now(c) - keep))
        rows = await super().forget(keep)
        return {**rows, "mail": rows["mail"] + months}

    async def _turn_month(self) -> None:
        """Open the month before its first mail."""

        def work(connection: Connection) -> None:
            connection.execute(_LOCK, {"lock": TABLES_LOCK})
            open_month(connection, self._now(connection))

        month = month_of(datetime.now(UTC))
        if month != self._month:
            await self._write(work)
            self._month = month

    async def _write_claims(self, work: Callable[[Connection], T]) -> T:
        """Claim on a connection of its own, so that a fresh host waits for no other commit.

        Nor for the disk: a claim that a crash of the server loses is made anew.
        """

        def not_durable(connection: Connection) -> T:
            connection.execute(_NOT_DURABLE)
            return work(connection)

        return await self._read_claims(not_durable)

    async def _read_claims(self, work: Callable[[Connection], T]) -> T:
        engine = self._engine
        if engine is None:
            raise StoreError(f"store {self.name} is closed")

        def run() -> T:
            with engine.begin() as connection:
                return work(connection)

        async with self._translated():
            return await asyncio.get_running_loop().run_in_executor(self._claims, run)

    async def _close(self) -> None:
        self._claims.shutdown()
        await super()._close()

    def _claim(self, connection: Connection, bid: Bid) -> Sequence[Claim]:
        # One after another: two who count the same network at the same time would both find room.
        connection.execute(_LOCK, {"lock": CLAIM_LOCK})
        return super()._claim(connection, bid)

    def _spend_all(
        self, connection: Connection, requests: Sequence[Request]
    ) -> Sequence[str | None]:
        connection.execute(_LOCK, {"lock": SPEND_LOCK})  # as for claims
        return super()._spend_all(connection, requests)

    def _ring(self, connection: Connection) -> None:
        connection.execute(_NOTIFY)

    def _now(self, connection: Connection) -> datetime:
        seconds: float = connection.scalar(
            text("SELECT extract(epoch FROM clock_timestamp())::float")
        )
        return datetime.fromtimestamp(seconds, UTC)


def conninfo(url: str, key: str = "store") -> str:
    """Return the connection string with our bounds on a silent link, unless it sets its own.

    Args:
        url: as the operator wrote it.
        key: the setting or option that it is of.

    Raises:
        ConfigError: it is none.
    """
    try:
        said = {key: value for key, value in conninfo_to_dict(url).items() if value is not None}
        ours = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
        said["options"] = f"{ours} {said.get('options', '')}"  # the last one counts
        return make_conninfo(**{"application_name": "botprobe", **LINK, **said})
    except psycopg.Error:
        # Not the error's own words: they may hold the password.
        raise ConfigError(f"{key}: not a PostgreSQL connection string") from None


def shown(url: str) -> str:
    """Return server and database of a connection string, without user and password."""
    said = conninfo_to_dict(conninfo(url))
    return f"postgresql://{said.get('host', '')}/{said.get('dbname', '')}"
