"""What botprobe asks of a store of cases."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from botprobe.model.audit import AuditRow, Decide, Grant, IpNetwork, Spent
from botprobe.model.mail import IpAddress, Mail
from botprobe.model.observation import Observation, Suspicion
from botprobe.model.verdict import Case
from botprobe.model.work import Arrival, Claim, Presence, Rank, WorkerStatus


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


class Dossier(Protocol):
    """What the observers know of addresses; every method raises StoreError if the store fails."""

    async def observe(self, observations: Collection[Observation]) -> None:
        """Keep observations; the same address, observer and moment once more replaces the first."""
        ...

    async def observations(self, address: IpAddress, most: int) -> Sequence[Observation]:
        """Return what was observed of an address, newest first."""
        ...

    async def latest_observations(self, address: IpAddress) -> Sequence[Observation]:
        """Return the newest observation of each observer."""
        ...

    async def suspicions(self, address: IpAddress, most: int) -> Sequence[Suspicion]:
        """Return why observers wanted the address to be probed, newest first."""
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

    async def suspect(
        self, suspects: Mapping[IpAddress, str], cooldown: timedelta
    ) -> Sequence[IpAddress]:
        """Make addresses due that an observer named, and note why.

        Returns:
            Those that became due: the others are so already, or were decided on lately.
        """
        ...

    async def claim(  # noqa: PLR0913  # the worker's words
        self,
        owner: str,
        lease: timedelta,
        most: int,
        ranks: Iterable[Rank],
        *,
        vantage: str | None = None,
        reserve: int = 0,
    ) -> Sequence[Claim]:
        """Claim at most so many hosts that are due, the first ranks first.

        A later look goes to other places first than ``vantage``, if the look before was from there.
        Of the places, ``reserve`` are for fresh hosts only.
        """
        ...

    async def finish(self, claim: Claim, case: Case, next_look: datetime | None) -> bool:
        """Keep the case of a claim and plan the next look; False if the claim is outdated."""
        ...

    async def put_back(
        self, claim: Claim, rest: timedelta | None = None, *, failed: bool = False
    ) -> None:
        """Give a claim up; the host is due as before, or not before the end of a rest.

        The rest counts by the clock of the store. A try that ``failed``, or rests, counts.
        """
        ...

    async def waiting(self) -> int:
        """Count the hosts that are due and not claimed."""
        ...

    async def workers(self) -> Sequence[WorkerStatus]:
        """Return who works on a store that several machines share."""
        ...


class Workforce(Protocol):
    """Knows who shares the work; every method raises StoreError if it fails."""

    async def beat(self, presence: Presence) -> None:
        """Say that a worker lives."""
        ...

    async def bury(self, silence: timedelta) -> int:
        """End the claims of workers that have been silent for so long; return how many."""
        ...

    async def leave(self, owner: str) -> None:
        """Strike a worker off, and open its claims to all."""
        ...


class Ledger(Protocol):
    """Grants investigations within the budgets, and tells of all that it ever granted.

    Every method raises StoreError if it fails.
    """

    async def spend(self, grant: Grant, decide: Decide) -> str | None:
        """Write a grant down and return None, or return why it is not given."""
        ...

    async def spent(self) -> Spent:
        """Return what was granted within the hour, the day, and ever."""
        ...

    async def audit(
        self, network: IpNetwork, since: datetime | None, until: datetime | None, most: int
    ) -> Sequence[AuditRow]:
        """Return what was granted in a network, newest first."""
        ...

    async def refusals(
        self, network: IpNetwork, since: datetime | None, until: datetime | None
    ) -> Mapping[str, int]:
        """Count the probes into a network that were refused, by reason."""
        ...
