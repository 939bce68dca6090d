"""One set of tests for all stores: each test that asks for ``store`` runs against each of them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from botprobe.store.database import SqlStore
from botprobe.store.sqlite import SqliteStore

NewStore = Callable[[int], SqlStore]
"""Takes how many hosts of a network may be claimed at the same time."""


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    """Return what makes an empty store that is not opened yet."""
    match request.param:
        case "memory":
            return lambda per_network: SqliteStore(None, per_network=per_network)
        case "sqlite":
            file = tmp_path / "cases.sqlite"
            return lambda per_network: SqliteStore(file, per_network=per_network)
        case _:
            from botprobe.store.postgres import PostgresStore  # noqa: PLC0415  # an extra

            url = request.getfixturevalue("postgres").new_database()
            return lambda per_network: PostgresStore(url, per_network=per_network, make_tables=True)


@pytest.fixture
def empty(new_store: NewStore) -> SqlStore:
    """Return a store that is empty and not opened yet."""
    return new_store(1000)


@pytest.fixture
async def store(empty: SqlStore) -> AsyncIterator[SqlStore]:
    """Return an empty store of each kind."""
    async with empty as opened:
        yield opened
