"""Jobs that several machines could do, and one does."""

import sqlalchemy as sa
from alembic import op

from botprobe.store.dialects import words

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "job",
        sa.Column("job", words(40), primary_key=True),
        sa.Column("period", words(40), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        if_not_exists=True,
    )
