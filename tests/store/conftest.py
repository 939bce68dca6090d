"""One set of tests for all stores: each test that asks for ``store`` runs against each of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from botprobe.store.database import SqlStore
from botprobe.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> SqlStore:
    """Return a store that is empty and not opened yet."""
    match request.param:
        case "memory":
            return SqliteStore(None)
        case "sqlite":
            return SqliteStore(tmp_path / "cases.sqlite")
        case _:
            from botprobe.store.postgres import PostgresStore  # noqa: PLC0415  # an extra

            return PostgresStore(
                request.getfixturevalue("postgres").new_database(),
                per_network=1000,
                make_tables=True,
            )


@pytest.fixture
async def store(empty: SqlStore) -> AsyncIterator[SqlStore]:
    """Return an empty store of each kind."""
    async with empty as opened:
        yield opened
