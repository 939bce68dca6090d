"""Counts per client and day, in little memory: 100,000 clients a day and a month of days."""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping

# A flood of addresses (IPv6 has enough of them) must not eat the memory.
MAX_CLIENTS = 1_000_000
MAX_CLIENT_BYTES = 64
OTHER_CLIENTS = b"(others)"


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
