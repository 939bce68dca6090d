"""What botprobe asks of a store of cases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from botprobe.model.mail import IpAddress, Mail
from botprobe.model.verdict import Case


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

    async def probed_since(self, start: datetime) -> Sequence[tuple[IpAddress, datetime]]:
        """Return who was probed when, from ``start`` (aware UTC) until now, oldest first."""
        ...
