"""Counts per client and day, in little memory: 100,000 clients a day and a month of days."""

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from botprobe.model.mail import IpAddress

# A flood of addresses (IPv6 has enough of them) must not eat the memory.
MAX_CLIENTS = 1_000_000
MAX_CLIENT_BYTES = 64
OTHER_CLIENTS = b"(others)"

# sendmail writes IPv6 addresses with a tag (RFC 5321, 4.1.3); a scope is an interface's name.
_ADDRESS = re.compile(rb"(?:IPv6:)?([0-9A-Fa-f:.]{2,45}(?:%[0-9A-Za-z._-]{1,15})?)")
# Nearly all clients; the library takes five times as long.
_IPV4 = re.compile(rb"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!\Z)|\Z)){4}")


def address_of(client: bytes) -> IpAddress | None:
    """Return the address of a client as a log writes it; None where it is none.

    Postfix writes ``unknown`` for whoever had gone before it asked.
    """
    written = _ADDRESS.fullmatch(client)
    if written is None:
        return None
    try:
        return ip_address(written[1].decode("ascii"))
    except ValueError:
        return None


def is_address(client: bytes) -> bool:
    """Say whether a client as a log writes it has an address."""
    return _IPV4.fullmatch(client) is not None or address_of(client) is not None


class ClientNames:
    """Numbers clients in the order of their appearance."""

    def __init__(self) -> None:
        self._ids: dict[bytes, int] = {OTHER_CLIENTS: 0}

    def id_of(self, client: bytes) -> int:
        """Return the number of a client; beyond a million of them all are number 0."""
        found = self._ids.get(client)
        if found is None:
            if len(self._ids) > MAX_CLIENTS or len(client) > MAX_CLIENT_BYTES:
                return 0
            found = self._ids[client] = len(self._ids)
        return found

    def without_number(self, clients: Iterable[bytes]) -> list[bytes]:
        """Return those of some clients that have no number of their own by now."""
        return [client for client in clients if not self._ids.get(client)]

    def count_by_id(self, counts: Mapping[bytes, int]) -> dict[int, int]:
        """Return counts by number instead of by name."""
        ids = self._ids
        if all(self.id_of(client) for client in counts if client not in ids):
            return dict(zip(map(ids.__getitem__, counts), counts.values(), strict=True))
        numbered: Counter[int] = Counter()
        for client, count in counts.items():
            numbered[self.id_of(client)] += count
        return dict(numbered)

    def names(self) -> list[bytes]:
        """Return all clients; the position of each is its number."""
        return list(self._ids)

    def __len__(self) -> int:
        return len(self._ids) - 1


class PackedCounts:
    """Counts by client number, packed into two arrays."""

    __slots__ = ("_counts", "_ids")

    def __init__(self) -> None:
        self._ids = array("L")
        self._counts = array("L")

    def add(self, counts: Mapping[int, int]) -> None:
        """Add to the counts of some clients; each call costs as much as all clients."""
        known: Mapping[int, int] = counts
        if self._ids:
            known = self.counter()
            known.update(counts)
        self._ids = array("L", known.keys())
        self._counts = array("L", known.values())

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._ids, self._counts, strict=True)

    def counter(self) -> Counter[int]:
        """Return the counts as a Counter."""
        return Counter(dict(self))
