"""The audit log, from which budgets are counted as well."""

import sqlalchemy as sa
from alembic import op

from botprobe.store.dialects import Number, words

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "audit",
        sa.Column("id", Number, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("place", words(32), nullable=False),
        sa.Column("network", words(49), nullable=False),
        sa.Column("owner", words(80), nullable=False),
        sa.Column("source", words(45)),
        sa.Column("document", sa.Text, nullable=False),
        if_not_exists=True,
    )
    for name, columns in (
        ("audit_by_place", ["place", "at"]),
        ("audit_by_network", ["network", "at"]),
        ("audit_by_time", ["at"]),
    ):
        op.create_index(name, "audit", columns, if_not_exists=True)
