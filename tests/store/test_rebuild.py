"""The roll-up is no source of truth: it can be made anew from mails and cases."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import create_engine, delete, text

from botprobe.model.mail import Boundary, BoundaryBasis, Hop, HopStatus, Mail, Trust
from botprobe.model.verdict import Label
from botprobe.model.weekly import Period
from botprobe.store.schema import host_weeks, standings, week_tallies
from botprobe.store.sqlite import SqliteStore
from tests.cases import HOST, NOON, bot_case
from tests.report.study import made_case

PERIOD = Period.parse("2026-W46..2026-W47")


def some_mails() -> list[Mail]:
    """Return mails with and without hops, dates and boundaries."""
    hop = Hop(index=0, status=HopStatus.PARSED, raw="r", ip=HOST, trust=Trust.BOUNDARY)
    ignored = Hop(index=1, status=HopStatus.IGNORED, raw="i")
    boundary = Boundary(basis=BoundaryBasis.MAILBOX, hop=0)
    first = Mail(file="1", delivered_at=NOON, boundary=boundary, hops=(hop, ignored))
    return [
        first,
        replace(first, file="2", message_id="<2>", delivered_at=NOON - timedelta(weeks=1)),
        Mail(file="3", message_id="<3>", delivered_at=NOON),
        Mail(file="4", message_id="<4>", hops=(ignored,)),
    ]


async def test_a_store_from_before_the_roll_up_is_counted_when_it_is_opened(
    tmp_path: Path,
) -> None:
    """Taken out, all counts come back as they were."""
    path = tmp_path / "cases.sqlite"
    async with SqliteStore(path) as store:
        for mail in some_mails():
            await store.add_mail(mail)
        later = NOON + timedelta(minutes=5)
        await store.add_case(bot_case())
        await store.add_case(
            made_case(str(HOST), later, label=Label.NOT_PROBED, refused="cool-down: at noon")
        )
        await store.add_case(made_case("2001:db8::1", NOON, "linux", lag=7.5))
        kept = await store.tallies(PERIOD, PERIOD.before, trend_weeks=4)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for table in (host_weeks, week_tallies, standings):
            connection.execute(delete(table))
        connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()

    async with SqliteStore(path) as store:
        made_anew = await store.tallies(PERIOD, PERIOD.before, trend_weeks=4)

    assert kept.mails.mails == 3
    assert made_anew == kept
