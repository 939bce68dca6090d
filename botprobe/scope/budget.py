"""How often we may probe: cool-down per address, caps per network, hour and day.

Whoever writes the headers writes our list of targets, so the caps also protect a third party
whose network a campaign claims as its origin.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from botprobe.model.audit import IpNetwork, Spent
from botprobe.model.mail import IpAddress
from botprobe.scope.addresses import unmapped

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


HOUR_SPENT = "budget of the hour is spent"
DAY_SPENT = "budget of the day is spent"
STORE_SPENT = "budget of the store is spent"
SPENT_FOR_ALL = frozenset({HOUR_SPENT, DAY_SPENT, STORE_SPENT})
"""Reasons that say nothing of the address: it may be asked as soon as anybody may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The caps; each counts investigations, not packets."""

    cooldown: timedelta = timedelta(hours=24)
    per_network_per_day: int = 32
    per_hour: int = 2_000
    per_day: int = 20_000
    total: int | None = None
    """Of the store, ever; None is without end."""


def spent_out(limits: Limits, spent: Spent) -> str | None:
    """Say which cap leaves no room for one more investigation, None if all do."""
    if spent.network >= limits.per_network_per_day:
        return f"budget of {spent.where} for a day is spent"
    if spent.hour >= limits.per_hour:
        return HOUR_SPENT
    if spent.day >= limits.per_day:
        return DAY_SPENT
    if limits.total is not None and spent.total >= limits.total:
        return STORE_SPENT
    return None


def cooling(limits: Limits, last: datetime | None, now: datetime) -> str | None:
    """Say that an address was probed within the cool-down, None if it was not."""
    if last is None or now - last >= limits.cooldown:
        return None
    return f"cool-down: probed at {last:%Y-%m-%d %H:%M:%S}Z"


@dataclass(slots=True)
class Budget:
    """What was probed lately, and so what may still be probed."""

    limits: Limits
    _last: dict[IpAddress, datetime] = field(default_factory=dict)
    _all: list[datetime] = field(default_factory=list)
    _networks: dict[IpNetwork, list[datetime]] = field(default_factory=lambda: defaultdict(list))

    def remember(self, probed: Iterable[tuple[IpAddress, datetime]]) -> None:
        """Count investigations of the past; times are aware UTC."""
        for address, moment in probed:
            self._note(unmapped(address), moment)

    def take(self, address: IpAddress, now: datetime, *, fresh: bool = False) -> str | None:
        """Spend one investigation of ``address``, or say why there is none left.

        Args:
            address: who is to be probed.
            now: the time, aware UTC.
            fresh: do not wait for the end of the cool-down; all other caps hold.
        """
        address = unmapped(address)
        reason = spent_out(self.limits, self._spent(address, now))
        last = self.cooling_since(address, now)
        if last is not None and not fresh:
            reason = cooling(self.limits, last, now)
        if reason is None:
            self._note(address, now)
        return reason

    def left_of(self, spent: Spent, now: datetime) -> int:
        """Return how many investigations remain, by what this process and the whole store spent."""
        rooms = [self.limits.per_hour - spent.hour, self.limits.per_day - spent.day]
        if self.limits.total is not None:
            rooms.append(self.limits.total - spent.total)
        return max(0, min(self.left(now), *rooms))

    def decide(self, spent: Spent, now: datetime, *, fresh: bool = False) -> str | None:
        """Say why what the whole store spent leaves no room, None if it does.

        Args:
            spent: by all processes, of which this one knows only itself.
            now: the time, aware UTC.
            fresh: as in ``take``.
        """
        reason = spent_out(self.limits, spent)
        return reason if reason or fresh else cooling(self.limits, spent.probed, now)

    def cooling_since(self, address: IpAddress, now: datetime) -> datetime | None:
        """Return when ``address`` was last probed, if that is within the cool-down."""
        last = self._last.get(unmapped(address))
        return last if last is not None and now - last < self.limits.cooldown else None

    def forgive(self, address: IpAddress) -> None:
        """End the cool-down of an address whose investigation was broken off; the caps stay."""
        self._last.pop(unmapped(address), None)

    def left(self, now: datetime) -> int:
        """Return how many investigations the hour and the day still allow."""
        hour = self.limits.per_hour - _since(self._all, now - _HOUR)
        day = self.limits.per_day - _since(self._all, now - _DAY)
        return max(0, min(hour, day))

    def forget(self, now: datetime) -> None:
        """Drop what no cap looks at any longer, so that a year of work needs no more memory."""
        oldest = now - max(_DAY, self.limits.cooldown)
        self._last = {ip: moment for ip, moment in self._last.items() if moment >= oldest}
        del self._all[: bisect_left(self._all, oldest)]
        for network, moments in list(self._networks.items()):
            del moments[: bisect_left(moments, oldest)]
            if not moments:
                del self._networks[network]

    def _spent(self, address: IpAddress, now: datetime) -> Spent:
        network = surrounding(address)
        return Spent(
            where=network,
            network=_since(self._networks[network], now - _DAY),
            hour=_since(self._all, now - _HOUR),
            day=_since(self._all, now - _DAY),
        )

    def _note(self, address: IpAddress, moment: datetime) -> None:
        self._last[address] = max(moment, self._last.get(address, moment))
        insort(self._all, moment)
        insort(self._networks[surrounding(address)], moment)


def surrounding(address: IpAddress) -> IpNetwork:
    """Return the /24 of an IPv4 address, the /48 of an IPv6 address."""
    # By numbers: to write and parse a text takes three times as long, for every host.
    if isinstance(address, IPv4Address):
        return IPv4Network((int(address) >> 8 << 8, 24))
    return IPv6Network((int(address) >> 80 << 80, 48))


def _since(moments: list[datetime], start: datetime) -> int:
    return len(moments) - bisect_left(moments, start)
