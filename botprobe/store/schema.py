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
    Table,
    Text,
    UniqueConstraint,
)

from botprobe.store.dialects import Number, words

# The last of the steps in ``migrations``: whoever changes a table adds one.
LATEST_STEP = "0007"

metadata = MetaData()

mails = Table(
    "mail",
    metadata,
    Column("id", Number, primary_key=True),
    Column("key", words(64), nullable=False, unique=True),
    Column("file", Text, nullable=False),
    Column("message_id", Text),
    Column("delivered", Float),
    Column("source_ip", words(45)),
    Column("document", Text, nullable=False),
)

hops = Table(
    "hop",
    metadata,
    Column("mail_id", ForeignKey("mail.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("trust", words(16)),
    Column("ip", words(45), index=True),
    postgresql_partition_by="RANGE (mail_id)",  # by month, see ``months``
)

cases = Table(
    "case",
    metadata,
    Column("id", Number, primary_key=True),
    Column("ip", words(45), nullable=False),
    Column("started", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("lag_seconds", Float),
    Column("probed", Boolean, nullable=False),
    Column("refused", Text),
    Column("label", words(32), nullable=False),
    Column("probability", Float, nullable=False),
    Column("os_family", Text),
    Column("os_generation", Text),
    Column("os_role", words(16)),
    Column("document", Text, nullable=False),
    Index("case_by_host", "ip", "started"),
    Index("case_by_time", "started", "os_family", "ip"),
)

standings = Table(
    "standing",
    metadata,
    Column("id", Number, primary_key=True),
    # The empty string says None: a unique constraint would take two NULLs for different.
    *(
        Column(name, words(80), nullable=False)
        for name in ("label", "family", "generation", "role", "refused", "decided_by")
    ),
    UniqueConstraint("label", "family", "generation", "role", "refused", "decided_by"),
)

# The weekly roll-up, kept by `rollup` in the transaction that adds a mail or a case. Its key
# begins with the address for periods of many weeks, its index with the week for short ones;
# the index holds every column, so that no report reads the table through it.
host_weeks = Table(
    "host_week",
    metadata,
    Column("ip", words(45), primary_key=True),
    Column("week", Integer, primary_key=True, autoincrement=False),
    Column("network", words(49), nullable=False),
    Column("delivered", Integer, nullable=False, default=0),
    Column("claimed", Integer, nullable=False, default=0),
    Column("forged", Integer, nullable=False, default=0),
    Column("synthetic", Integer, nullable=False, default=0),
    Column("looked", Float),
    Column("lag_seconds", Float),
    Column("standing", ForeignKey("standing.id")),
    sqlite_with_rowid=False,
)
Index("host_week_by_week", host_weeks.c.week, *(c for c in host_weeks.c if c.name != "week"))
# In this order the standings of each week are counted without sorting: a year in 0.1 s, not 2.
Index("host_week_by_standing", host_weeks.c.week, host_weeks.c.standing)

week_tallies = Table(
    "week_tally",
    metadata,
    Column("week", Integer, primary_key=True, autoincrement=False),
    Column("name", words(16), primary_key=True),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# A file of a mailbox is taken once: its key comes in the transaction that keeps its mail.
deliveries = Table(
    "delivery",
    metadata,
    Column("key", words(32), primary_key=True),
    Column("mail_id", ForeignKey("mail.id"), nullable=False),
    sqlite_with_rowid=False,
)

# What the observers saw of each address; a time seen again is seen once.
observations = Table(
    "observation",
    metadata,
    Column("ip", words(45), primary_key=True),
    Column("observer", words(16), primary_key=True),
    Column("seen", Float, primary_key=True),
    Column("document", Text, nullable=False),
    sqlite_with_rowid=False,
)
# A report asks for one observer's weeks.
Index("observation_by_time", observations.c.observer, observations.c.seen)

# Why observers want an address to be probed.
suspicions = Table(
    "suspicion",
    metadata,
    Column("ip", words(45), primary_key=True),
    Column("at", Float, primary_key=True),
    Column("why", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What is to be done about each address: the truth that every worker asks.
hosts = Table(
    "host",
    metadata,
    Column("ip", words(45), primary_key=True),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
    Column("sightings", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("due", Float),
    Column("refused", Text),
    Column("owner", words(80)),
    Column("lease", Float),
    Column("attempt", Integer, nullable=False, default=0),
    Column("tries", Integer, nullable=False, default=0),
    Column("first_looked", Float),
    Column("decided", Float),
    Column("vantage", words(80)),
)
_planned = hosts.c.due.is_not(None)
Index("host_by_due", hosts.c.rank, hosts.c.due, sqlite_where=_planned, postgresql_where=_planned)
# The claims that are open, for all who share the store.
_claimed = hosts.c.lease.is_not(None)
Index("host_by_owner", hosts.c.owner, sqlite_where=_claimed, postgresql_where=_claimed)

# Who works on the store, and when each said so last; a claim of nobody here is open to all.
workers = Table(
    "worker",
    metadata,
    Column("owner", words(80), primary_key=True),
    Column("vantage", words(80), nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("under_way", Integer, nullable=False),
    Column("finished", Number, nullable=False),
    Column("started", Float, nullable=False),
    Column("beat", Float, nullable=False),
)

# Every investigation that was allowed, written before its first packet and never changed. ``place``
# is the address as 32 hexadecimal digits, IPv4 as mapped: any network is one range of it.
audits = Table(
    "audit",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("place", words(32), nullable=False),
    Column("network", words(49), nullable=False),
    Column("owner", words(80), nullable=False),
    Column("source", words(45)),
    Column("document", Text, nullable=False),
)
Index("audit_by_place", audits.c.place, audits.c.at)
Index("audit_by_network", audits.c.network, audits.c.at)
Index("audit_by_time", audits.c.at)

# What several machines could do for a period, and one does.
jobs = Table(
    "job",
    metadata,
    Column("job", words(40), primary_key=True),
    Column("period", words(40), primary_key=True),
    Column("at", Float, nullable=False),
)
