"""What observers saw, and workers that share a store."""

import sqlalchemy as sa
from alembic import op

from botprobe.store.dialects import Number, words

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "observation",
        sa.Column("ip", words(45), primary_key=True),
        sa.Column("observer", words(16), primary_key=True),
        sa.Column("seen", sa.Float, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "suspicion",
        sa.Column("ip", words(45), primary_key=True),
        sa.Column("at", sa.Float, primary_key=True),
        sa.Column("why", sa.Text, nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "worker",
        sa.Column("owner", words(80), primary_key=True),
        sa.Column("vantage", words(80), nullable=False),
        sa.Column("concurrency", sa.Integer, nullable=False),
        sa.Column("under_way", sa.Integer, nullable=False),
        sa.Column("finished", Number, nullable=False),
        sa.Column("started", sa.Float, nullable=False),
        sa.Column("beat", sa.Float, nullable=False),
        if_not_exists=True,
    )
    claimed = sa.text("lease IS NOT NULL")
    op.create_index(
        "host_by_owner",
        "host",
        ["owner"],
        sqlite_where=claimed,
        postgresql_where=claimed,
        if_not_exists=True,
    )
