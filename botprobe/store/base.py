"""What botprobe asks of a store of cases."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from botprobe.model.mail import IpAddress, Mail
from botprobe.model.verdict import Case
from botprobe.model.work import Arrival, Claim, Rank


class CaseStore(Protocol):
    """Keeps mails and cases; every method raises StoreError if the store fails."""

    async def add_mail(self, mail: Mail) -> None:
        """Keep a mail and its hops; the same mail once more changes nothing."""
        ...

    async def add_case(self, case: Case) -> None:
        """Keep a case."""
        ...

    async def cases(self, address: IpAddress) -> Sequence[Case]:
        """Return all cases of an address, newest first."""
        ...

    async def latest_probed(self, address: IpAddress) -> Case | None:
        """Return the newest case of an address in which it was probed, None if there is none."""
        ...

    async def probed_since(self, start: datetime) -> Sequence[tuple[IpAddress, datetime]]:
        """Return who was probed when, from ``start`` (aware UTC) until now, oldest first."""
        ...


class MailTable(Protocol):
    """Takes mails out of mailboxes, each once; every method raises StoreError if it fails."""

    async def untaken(self, keys: Collection[str]) -> set[str]:
        """Return those of the keys whose files were not taken yet."""
        ...

    async def take(self, arrivals: Sequence[Arrival], cooldown: timedelta) -> Sequence[Arrival]:
        """Keep mails, plan their hosts and mark their files as taken: all of it or nothing.

        An address that was decided on within the cool-down is only counted.

        Returns:
            Those that were not taken before.
        """
        ...


class HostTable(Protocol):
    """Says who is due and who is being asked; every method raises StoreError if it fails."""

    async def claim(
        self, owner: str, lease: timedelta, most: int, ranks: Iterable[Rank]
    ) -> Sequence[Claim]:
        """Claim at most so many hosts that are due, the first ranks first."""
        ...

    async def finish(self, claim: Claim, case: Case, next_look: datetime | None) -> bool:
        """Keep the case of a claim and plan the next look; False if the claim is outdated."""
        ...

    async def put_back(self, claim: Claim, try_again: datetime | None = None) -> None:
        """Give a claim up; the host is due as before, or not before ``try_again``."""
        ...

    async def waiting(self) -> int:
        """Count the hosts that are due and not claimed."""
        ...
