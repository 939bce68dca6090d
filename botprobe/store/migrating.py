"""Which schema a store has, and the way to today's.

An empty store gets today's tables at once; one that has tables goes through the steps of
``migrations``, of which each released schema is the beginning. The number of the last step that
was made stands in Alembic's own table.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from botprobe.errors import StoreError
from botprobe.store.rollup import needs_rebuild, rebuild
from botprobe.store.schema import LATEST_STEP, metadata

STEPS = Path(__file__).parent / "migrations"

# As Alembic defines it.
_versions = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True)
)


def step_of(connection: Connection) -> str | None:
    """Return the last step that the store has made, empty if it is of before there were any.

    Returns:
        None if the store has no tables at all.
    """
    found = inspect(connection)
    if found.has_table(_versions.name):
        step: str | None = connection.scalar(select(_versions.c.version_num))
        return step or ""
    return "" if found.has_table("case") else None


def check_step(name: str, step: str | None) -> None:
    """Refuse a store of a newer botprobe.

    Raises:
        StoreError: it has made a step that this one does not know.
    """
    if step and step > LATEST_STEP:
        raise StoreError(newer(name, step, LATEST_STEP))


def newer(name: str, step: object, ours: object) -> str:
    """Say that a store is of a newer botprobe, and what to do."""
    return f"store {name} is of a newer botprobe (schema {step}, ours {ours}): update botprobe"


def make_latest(connection: Connection) -> bool:
    """Give the store today's tables, in a transaction; say whether anything was done."""
    step = step_of(connection)
    if step == LATEST_STEP:
        return False
    if step is None:
        metadata.create_all(connection)
        _versions.create(connection)
        connection.execute(insert(_versions).values(version_num=LATEST_STEP))
    else:
        go_on(connection)
        if needs_rebuild(connection):
            rebuild(connection)
    return True


def go_on(connection: Connection, until: str = "head") -> None:
    """Make the steps from wherever the store is, up to one of them."""
    from alembic.config import Config  # noqa: PLC0415  # costs time, and is seldom needed
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)

    def steps(revision: Any, _context: object) -> Any:
        return script._upgrade_revs(until, revision)  # noqa: SLF001  # as Alembic's own commands

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection)
        with environment.begin_transaction():
            environment.run_migrations()
