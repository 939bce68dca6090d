"""The store that many machines share: a PostgreSQL database.

Each process holds one connection, in the thread of its store. Rows are locked one by one, and
all who wait for the same ones take them in the same order. Whoever shares the store goes by the
clock of the database, whatever the own one says.
"""

from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, Engine, create_engine, text

from botprobe.errors import ConfigError
from botprobe.store.database import SqlStore
from botprobe.store.schema import metadata

# A cut link is noticed within so many seconds, and not after the kernel's two hours.
LINK: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

# Number of the lock that whoever makes or changes tables holds: "botprobe" in bytes.
TABLES_LOCK = int.from_bytes(b"botprobe")


class PostgresStore(SqlStore):
    """Keeps cases in the database that a libpq connection string names.

    Raises:
        ConfigError: it is no connection string.
    """

    def __init__(self, url: str) -> None:
        self._conninfo = conninfo(url)
        super().__init__(shown(url))

    def _connect(self) -> Engine:
        return create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(self._conninfo),
            pool_size=1,
            pool_pre_ping=True,
        )

    def _prepare_tables(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": TABLES_LOCK})
        metadata.create_all(connection)

    def _now(self, connection: Connection) -> datetime:
        seconds: float = connection.scalar(
            text("SELECT extract(epoch FROM clock_timestamp())::float")
        )
        return datetime.fromtimestamp(seconds, UTC)


def conninfo(url: str) -> str:
    """Return the connection string with our bounds on a silent link, unless it sets its own.

    Raises:
        ConfigError: it is none.
    """
    try:
        said = {key: value for key, value in conninfo_to_dict(url).items() if value is not None}
        return make_conninfo(**{"application_name": "botprobe", **LINK, **said})
    except psycopg.Error:
        # Not the error's own words: they may hold the password.
        raise ConfigError("store: not a PostgreSQL connection string") from None


def shown(url: str) -> str:
    """Return server and database of a connection string, without user and password."""
    said = conninfo_to_dict(conninfo(url))
    return f"postgresql://{said.get('host', '')}/{said.get('dbname', '')}"
