"""Observations by time: a report asks for the weeks of a router."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the index."""
    op.create_index("observation_by_time", "observation", ["observer", "seen"], if_not_exists=True)
