"""What the router makes of the kernel's sets: changes only, and nobody lost by one bad reading."""

import asyncio
from collections.abc import Callable, Mapping
from ipaddress import ip_address

import pytest

from botprobe.observers.router import kernel as kernel_module
from botprobe.observers.router.kernel import Details, Kernel, Traffic
from botprobe.observers.router.netlink import Elements
from botprobe.observers.router.rules import MOST_HOSTS

A, B = ip_address("198.18.0.10"), ip_address("198.18.0.11")
NETWORK, FACE = ip_address("2001:db8:c:10::"), ip_address("2001:db8:c:10::7")
FORGED, B6 = ip_address("2001:db8:c:10::1"), ip_address("2001:db8:5::1")

Load = Callable[[Mapping[str, Elements]], None]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Set what the kernel's sets hold from now on."""
    sets: dict[str, Elements] = {}
    monkeypatch.setattr(kernel_module, "read_set", lambda _, name: dict(sets.get(name, {})))

    def put(now: Mapping[str, Elements]) -> None:
        sets.clear()
        sets.update(now)

    return put


def looked(kernel: Kernel) -> Traffic:
    """Look, and read also what was fetched."""
    asyncio.run(kernel.sent())
    return asyncio.run(kernel.traffic())


class TestTraffic:
    def test_tells_what_changed_since_it_was_read(self, load: Load) -> None:
        """Of both directions, over any number of looks between."""
        kernel, told = Kernel(), []
        for sent, fetched in ((5, 0), (5, 0), (5, 9), (6, 9)):
            load({"sent4": {A.packed: sent, B.packed: 1}, "fetched4": {A.packed: fetched}})
            told.append(looked(kernel).counted)
        load({"sent4": {A.packed: 7, B.packed: 1}, "fetched4": {A.packed: 9}})
        sent_more = [asyncio.run(kernel.sent()) for _ in range(2)]

        assert told == [{A: (5, 0), B: (1, 0)}, {}, {A: (5, 9)}, {A: (6, 9)}]
        assert sent_more == [{A: 7}, {}]
        assert asyncio.run(kernel.traffic()).counted == {A: (7, 9)}

    def test_a_mailbox_user_is_told_of_whole_when_he_has_sent_enough(self, load: Load) -> None:
        """What he fetched before counts, although it did not change."""
        kernel = Kernel()
        load({"fetched4": {A.packed: 70}})
        before = looked(kernel)
        load({"sent4": {A.packed: 1}, "fetched4": {A.packed: 70}})

        assert (before.counted, looked(kernel).counted) == ({}, {A: (1, 70)})

    def test_who_is_missing_once_is_not_forgotten(self, load: Load) -> None:
        """A reading may hide an element while another one expires; twice it is gone."""
        kernel, told = Kernel(), []
        for sent in ({A.packed: 5}, {}, {A.packed: 5}, {}, {}):
            load({"sent4": sent})
            told.append(looked(kernel))

        assert [one.gone for one in told] == [frozenset()] * 4 + [frozenset({A})]
        assert [len(one.counted) for one in told] == [1, 0, 0, 0, 0]


class TestDetails:
    def test_a_mail_server_keeps_its_mark_in_one_bad_reading(self, load: Load) -> None:
        """Else it would be blocked for it."""
        kernel, marked = Kernel(), []
        for servers in ({A.packed: 0}, {}, {}):
            load({"servers4": servers})
            marked.append(A in asyncio.run(kernel.details()).servers)

        assert marked == [True, True, False]

    def test_what_excuses_a_host_is_known_as_long_as_the_host(self, load: Load) -> None:
        """Else a NAT whose others are silent for a while would be blocked for its bot."""
        kernel, told = Kernel(), []
        limits = {A.packed + b"\x40\0\0\0": 0, A.packed + b"\x80\0\0\0": 0}
        marks = {"servers4": {A.packed: 0}, "opened4": limits, "servers6": {NETWORK.packed[:8]: 0}}
        for sent in (1, 2, 3, 0, 0):
            counted = {A.packed: sent, NETWORK.packed: sent} if sent else {}
            load({"sent4": counted} | (marks if sent == 1 else {}))
            looked(kernel)
            details = asyncio.run(kernel.details())
            told.append((details.limits.get(A), A in details.servers, NETWORK in details.servers))

        assert told[:3] == [(frozenset({64, 128}), True, True)] * 3
        assert told[-1] == (None, False, False)

    @pytest.mark.parametrize("name", ["fetched", "servers", "opened"])
    def test_a_full_set_of_excuses_is_told(self, load: Load, name: str) -> None:
        """Whoever has no room in it must not be blocked for that."""
        kernel, told = Kernel(), []
        for hosts in (1_000, MOST_HOSTS):
            load({f"{name}4": {number.to_bytes(4): 1 for number in range(hosts)}})
            looked(kernel)
            told.append(asyncio.run(kernel.details()).full)

        assert told == [frozenset(), {4}]

    def test_hosts_of_both_families_are_put_together(self, load: Load) -> None:
        """Of IPv6 the /64 is the host, and the addresses that opened connections are its faces."""
        load(
            {
                "targets4": {A.packed + B.packed: 0, A.packed + A.packed: 0},
                # The second one: an answer to an address that never asked.
                "targets6": {FACE.packed + B6.packed: 0, FORGED.packed + B6.packed: 0},
                "opened4": {A.packed + b"\x40\0\0\0": 2, A.packed + b"\x80\0\0\0": 3},
                "hops6": {NETWORK.packed[:8] + b"\x40\0\0\0": 0},
                "faces6": {FACE.packed: 0},
                "oneway6": {NETWORK.packed[:8]: 3},
            }
        )

        told: Details = asyncio.run(Kernel().details())

        assert dict(told.targets) == {A: 2, NETWORK: 2}
        assert dict(told.faces) == {NETWORK: {FACE}}
        assert dict(told.limits) == {A: {64, 128}, NETWORK: {64}}
        assert (dict(told.one_way), dict(told.opened)) == ({NETWORK: 3}, {A: 5})
