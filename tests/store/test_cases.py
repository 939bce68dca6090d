"""Cases in every kind of store."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

from botprobe.model.mail import Trust
from botprobe.model.target import Target
from botprobe.store.database import SqlStore
from tests.cases import HOST, NOON, bot_case
from tests.test_pipeline import mail_with

OTHER = ip_address("2001:db8::1")


class TestCases:
    async def test_gives_back_the_cases_of_an_address_newest_first(self, store: SqlStore) -> None:
        """A case comes back whole, and no other address's beside it."""
        early = bot_case()
        late = replace(early, started=NOON + timedelta(days=60))
        other = replace(early, target=Target(OTHER))
        for case in (late, other, early):
            await store.add_case(case)

        assert await store.cases(HOST) == [late, early]
        assert await store.cases(OTHER) == [other]

    async def test_finds_the_newest_look_behind_refusals(self, store: SqlStore) -> None:
        """What a host answered last is found, however often it was refused since."""
        case = bot_case()
        await store.add_case(replace(case, started=NOON - timedelta(days=1)))
        await store.add_case(case)
        await store.add_case(replace(case, started=NOON + timedelta(hours=1), refused="later"))

        assert await store.latest_probed(HOST) == case
        assert await store.latest_probed(OTHER) is None

    async def test_knows_who_was_probed_lately(self, store: SqlStore) -> None:
        """The budget survives a restart; refused cases cost nothing."""
        case = bot_case()
        await store.add_case(case)
        await store.add_case(replace(case, refused="opted out"))
        await store.add_case(replace(case, started=NOON - timedelta(days=2)))

        assert await store.probed_since(NOON - timedelta(days=1)) == [(HOST, NOON)]

    async def test_takes_whatever_a_mail_says(self, store: SqlStore) -> None:
        """Characters that no database column takes neither stop the mail nor its host."""
        mail = mail_with((Trust.BOUNDARY, str(HOST)))
        for odd in ("nul\0inside", "lone \udcff surrogate", "\U0001f41b"):
            await store.add_mail(replace(mail, file=odd, message_id=odd))

        assert len(await store.sightings(HOST, 9)) == 3
