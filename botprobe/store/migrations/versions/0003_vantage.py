"""From where a host was looked at last, so that the next look may come from elsewhere."""

import sqlalchemy as sa
from alembic import op

from botprobe.store.dialects import words

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column, unless it is there: SQLite has no words for that."""
    columns = sa.inspect(op.get_bind()).get_columns("host")
    if "vantage" not in {column["name"] for column in columns}:
        op.add_column("host", sa.Column("vantage", words(80)))
