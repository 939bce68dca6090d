"""Sightings by month of arrival (PostgreSQL); what is there already becomes one partition."""

from alembic import op

revision = "0006"
down_revision = "0005"

_STEPS = (
    "ALTER TABLE hop RENAME TO hop_rest",
    "ALTER INDEX hop_pkey RENAME TO hop_rest_pkey",
    "ALTER INDEX ix_hop_ip RENAME TO hop_rest_ip_idx",
    "CREATE TABLE hop (LIKE hop_rest INCLUDING DEFAULTS) PARTITION BY RANGE (mail_id)",
    "ALTER TABLE hop ADD PRIMARY KEY (mail_id, position)",
    "ALTER TABLE hop ADD FOREIGN KEY (mail_id) REFERENCES mail (id)",
    "CREATE INDEX ix_hop_ip ON hop (ip)",
    "ALTER TABLE hop ATTACH PARTITION hop_rest FOR VALUES FROM (MINVALUE) TO (13194139533312)",
)


def upgrade() -> None:
    """Make the table that is divided; SQLite has none."""
    if op.get_bind().dialect.name == "postgresql":
        for step in _STEPS:
            op.execute(step)
