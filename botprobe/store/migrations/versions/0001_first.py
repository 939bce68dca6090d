"""The tables of the first release.

A store of that time has all of them or, from before the weekly roll-up, some.
"""

import sqlalchemy as sa
from alembic import op

from botprobe.store.dialects import Number, words

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what is missing."""
    _mails()
    _cases()
    _weeks()
    _hosts()


def _mails() -> None:
    op.create_table(
        "mail",
        sa.Column("id", Number, primary_key=True),
        sa.Column("key", words(64), nullable=False, unique=True),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text),
        sa.Column("delivered", sa.Float),
        sa.Column("source_ip", words(45)),
        sa.Column("document", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "hop",
        sa.Column("mail_id", Number, sa.ForeignKey("mail.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("trust", words(16)),
        sa.Column("ip", words(45)),
        if_not_exists=True,
    )
    op.create_index("ix_hop_ip", "hop", ["ip"], if_not_exists=True)
    op.create_table(
        "delivery",
        sa.Column("key", words(32), primary_key=True),
        sa.Column("mail_id", Number, sa.ForeignKey("mail.id"), nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )


def _cases() -> None:
    op.create_table(
        "case",
        sa.Column("id", Number, primary_key=True),
        sa.Column("ip", words(45), nullable=False),
        sa.Column("started", sa.Float, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("lag_seconds", sa.Float),
        sa.Column("probed", sa.Boolean, nullable=False),
        sa.Column("refused", sa.Text),
        sa.Column("label", words(32), nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("os_family", sa.Text),
        sa.Column("os_generation", sa.Text),
        sa.Column("os_role", words(16)),
        sa.Column("document", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_index("case_by_host", "case", ["ip", "started"], if_not_exists=True)
    op.create_index("case_by_time", "case", ["started", "os_family", "ip"], if_not_exists=True)


def _weeks() -> None:
    names = ("label", "family", "generation", "role", "refused", "decided_by")
    op.create_table(
        "standing",
        sa.Column("id", Number, primary_key=True),
        *(sa.Column(name, words(80), nullable=False) for name in names),
        sa.UniqueConstraint(*names),
        if_not_exists=True,
    )
    counters = ("delivered", "claimed", "forged", "synthetic")
    op.create_table(
        "host_week",
        sa.Column("ip", words(45), primary_key=True),
        sa.Column("week", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("network", words(49), nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in counters),
        sa.Column("looked", sa.Float),
        sa.Column("lag_seconds", sa.Float),
        sa.Column("standing", Number, sa.ForeignKey("standing.id")),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    rest = ["ip", "network", *counters, "looked", "lag_seconds", "standing"]
    op.create_index("host_week_by_week", "host_week", ["week", *rest], if_not_exists=True)
    op.create_index("host_week_by_standing", "host_week", ["week", "standing"], if_not_exists=True)
    op.create_table(
        "week_tally",
        sa.Column("week", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", words(16), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )


def _hosts() -> None:
    op.create_table(
        "host",
        sa.Column("ip", words(45), primary_key=True),
        sa.Column("first_seen", sa.Float, nullable=False),
        sa.Column("last_seen", sa.Float, nullable=False),
        sa.Column("sightings", sa.Integer, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("due", sa.Float),
        sa.Column("refused", sa.Text),
        sa.Column("owner", words(80)),
        sa.Column("lease", sa.Float),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("first_looked", sa.Float),
        sa.Column("decided", sa.Float),
        if_not_exists=True,
    )
    planned = sa.text("due IS NOT NULL")
    op.create_index(
        "host_by_due",
        "host",
        ["rank", "due"],
        sqlite_where=planned,
        postgresql_where=planned,
        if_not_exists=True,
    )
