"""What the store tells of the mails that named a host."""

from dataclasses import replace

from botprobe.model.mail import Boundary, BoundaryBasis, Mail, Trust
from botprobe.pipeline import candidates
from botprobe.store.database import SqlStore
from botprobe.store.sightings import MAX_SIGHTINGS
from tests.cases import HOST
from tests.test_pipeline import mail_with

GATEWAY = "198.18.11.1"


def numbered(mail: Mail, number: int) -> Mail:
    """Return the mail as another one of the same kind."""
    return replace(mail, file=f"new/{number}", message_id=f"<{number}@spam.example>")


class TestSightings:
    async def test_forged_hops_push_no_delivery_out(self, store: SqlStore) -> None:
        """What the host did before our eyes is known however often others name it later."""
        await store.add_mail(numbered(mail_with((Trust.BOUNDARY, str(HOST))), 0))
        forged = mail_with((Trust.BOUNDARY, GATEWAY), (Trust.FORGED, str(HOST)))
        for number in range(1, MAX_SIGHTINGS + 2):
            await store.add_mail(numbered(forged, number))

        sightings = await store.sightings(HOST, MAX_SIGHTINGS)

        files = [sighting.file for sighting in sightings]
        newest = [f"new/{number}" for number in range(MAX_SIGHTINGS + 1, 2, -1)]
        assert files == [*newest, "new/0"]
        assert sightings[-1].trust is Trust.BOUNDARY

    async def test_a_watch_reads_what_a_scan_reads(self, store: SqlStore) -> None:
        """The host that a trusted webmail names is its boundary, from the store as well."""
        webmail = replace(
            mail_with((Trust.OWN, GATEWAY), (Trust.SYNTHETIC, str(HOST))),
            boundary=Boundary(basis=BoundaryBasis.CONFIG, hop=1),
        )
        await store.add_mail(webmail)

        ((scanned,), stored) = candidates([webmail], "all", 4), await store.sightings(HOST, 9)

        assert [one.trust for one in stored] == [Trust.BOUNDARY]
        assert tuple(stored) == scanned.target.sightings
