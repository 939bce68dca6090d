"""How often we may probe."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from botprobe.scope.budget import Budget, Limits, surrounding

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOST = ip_address("198.18.0.1")


class TestBudget:
    def test_an_address_waits_for_its_cool_down(self) -> None:
        """The same address is probed again only when the cool-down is over."""
        budget = Budget(Limits(cooldown=timedelta(hours=24)))

        assert budget.take(HOST, NOON) is None
        assert "cool-down" in (budget.take(HOST, NOON + timedelta(hours=23)) or "")
        assert budget.take(HOST, NOON + timedelta(hours=24)) is None

    def test_fresh_ignores_the_cool_down_and_nothing_else(self) -> None:
        """An operator may look again at a host, but not spend more than the caps."""
        budget = Budget(Limits(per_network_per_day=2))
        budget.take(HOST, NOON)

        assert budget.take(HOST, NOON, fresh=True) is None
        assert budget.take(HOST, NOON, fresh=True) == "budget of 198.18.0.0/24 for a day is spent"

    def test_remembers_what_was_probed_before_the_start(self) -> None:
        """A restart does not give a new budget."""
        budget = Budget(Limits())
        budget.remember([(HOST, NOON)])

        assert budget.take(HOST, NOON + timedelta(hours=1)) is not None

    def test_what_was_broken_off_may_be_asked_again(self) -> None:
        """A stop costs a host no cool-down, and does not give the caps back."""
        budget = Budget(Limits(per_network_per_day=2))
        for _ in range(2):
            assert budget.take(HOST, NOON) is None
            budget.forgive(HOST)

        assert budget.take(HOST, NOON) == "budget of 198.18.0.0/24 for a day is spent"

    def test_says_what_is_left_and_forgets_what_is_old(self) -> None:
        """What no cap looks at any longer needs no memory, and changes no answer."""
        budget = Budget(Limits(per_hour=2, per_day=5, cooldown=timedelta(hours=1)))
        later = NOON + timedelta(days=1, seconds=1)
        budget.take(HOST, NOON)
        before = budget.left(NOON)

        budget.forget(later)

        assert (before, budget.left(later)) == (1, 2)
        assert budget == Budget(budget.limits)

    def test_an_old_probe_counts_no_more(self) -> None:
        """After an hour, and after a day, the caps are free again."""
        budget = Budget(Limits(per_hour=1, per_day=2))
        other, third = ip_address("198.18.1.1"), ip_address("198.18.2.1")
        budget.take(HOST, NOON)

        assert budget.take(other, NOON) == "budget of the hour is spent"
        assert budget.take(other, NOON + timedelta(hours=2)) is None
        assert budget.take(third, NOON + timedelta(hours=4)) == "budget of the day is spent"
        assert budget.take(third, NOON + timedelta(hours=25)) is None

    @given(st.lists(st.integers(0, 2**10 - 1), max_size=80), st.integers(0, 5))
    def test_no_sequence_exceeds_the_cap_of_a_network(self, hosts: list[int], cap: int) -> None:
        """However a campaign orders its addresses, a /24 gets its few probes and no more."""
        budget = Budget(Limits(per_network_per_day=cap))
        base = int(ip_address("198.18.0.0"))
        addresses = [ip_address(base + host) for host in hosts]
        taken = [address for address in addresses if budget.take(address, NOON) is None]

        for network in {surrounding(address) for address in addresses}:
            assert sum(address in network for address in taken) <= cap


class TestSurrounding:
    def test_is_a_24_or_a_48(self) -> None:
        """The network of a third party is counted as a whole."""
        assert surrounding(HOST) == ip_network("198.18.0.0/24")
        assert surrounding(ip_address("2001:db8:1:2::3")) == ip_network("2001:db8:1::/48")
