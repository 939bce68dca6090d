"""The tables, once for every database (SQLAlchemy Core).

A document is the JSON of ``contract``; the columns beside it are what is searched for.
Times are seconds since the epoch, so that they sort alike everywhere.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 1

metadata = MetaData()

mails = Table(
    "mail",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("file", Text, nullable=False),
    Column("message_id", Text),
    Column("delivered", Float),
    Column("source_ip", String(45)),
    Column("document", Text, nullable=False),
)

hops = Table(
    "hop",
    metadata,
    Column("mail_id", ForeignKey("mail.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("trust", String(16)),
    Column("ip", String(45), index=True),
)

cases = Table(
    "case",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ip", String(45), nullable=False),
    Column("started", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("lag_seconds", Float),
    Column("probed", Boolean, nullable=False),
    Column("refused", Text),
    Column("label", String(32), nullable=False),
    Column("probability", Float, nullable=False),
    Column("os_family", Text),
    Column("os_generation", Text),
    Column("os_role", String(16)),
    Column("document", Text, nullable=False),
    Index("case_by_host", "ip", "started"),
    Index("case_by_time", "started", "os_family", "ip"),
)
