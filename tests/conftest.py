"""What holds for all tests."""

import os
import sys
from collections.abc import Iterator

import pygal  # noqa: F401  # for its import hook
import pytest
from hypothesis import settings

from tests.postgres import Server, server

# It leaves an import hook of the old kind behind, which only its map plug-ins need, and over which
# pytest stumbles when it collects the next folder.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]


# Its deadline of 200 ms is one of the wall clock, which a busy machine misses; a test has 20 s.
settings.register_profile("botprobe", deadline=None)
settings.load_profile("botprobe")


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Give the umask back that a command in this process has set for its own files."""
    before = os.umask(0)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Return a PostgreSQL server of this test run."""
    with server() as running:
        yield running
