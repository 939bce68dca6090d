"""A client that speaks TLS with the proxy: times and sizes are all there is."""

from dataclasses import dataclass

import pytest

from botprobe.observers.proxytrace.model import Answer
from botprobe.observers.proxytrace.trace import Tracing
from tests.observers.proxytrace.talk import (
    BANNER,
    PROXY,
    SPAMMER,
    USER,
    VICTIM,
    Talk,
    mail,
    packets,
    traced,
)

HELLO = b"\x16\x03\x01" + bytes(300)
OVERHEAD = 22
CONVERSATION = [(False, BANNER), *mail()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A mail through a proxy behind TLS; all say the same in the same sizes."""

    at: float = 100.0
    origin: str = SPAMMER
    number: int = 0
    lag: float = 0.001
    """From one leg to the other, in seconds."""
    step: float = 0.01
    """From one line to its answer, in seconds."""

    def legs(self) -> tuple[Talk, Talk]:
        """Return the origin's connection and the one that it caused."""
        first = Talk((self.origin, 40_000 + self.number), (PROXY, 8443), self.at)
        first.say(self.at + 0.001, HELLO)
        first.say(self.at + 0.002, HELLO, client=False)
        second = Talk((PROXY, 50_000 + self.number), (VICTIM, 25), self.at + 0.02)
        at = self.at + 0.03
        for client, data in CONVERSATION:
            came, went = (at, at + self.lag) if client else (at + self.lag, at)
            first.say(came, bytes(len(data) + OVERHEAD), client=client)
            second.say(went, data, client=client)
            at += self.lag + self.step
        return first, second


def named(tracing: Tracing) -> list[tuple[str, str | None]]:
    """Return each session's answer and origin, in the order of the proxy's ports."""
    traces = sorted(tracing.traces, key=lambda one: one.session.proxy_port or 0)
    return [(str(one.answer), str(one.origin.address) if one.origin else None) for one in traces]


class TestHiddenOrders:
    @pytest.mark.parametrize("lag", [0.0005, 0.02, 0.1, 0.4])
    def test_a_busy_proxy_is_traced_too(self, lag: float) -> None:
        """It may hand on late: each segment still comes after its cause, in its size."""
        assert named(traced(packets(*Hidden(lag=lag).legs()))) == [("suspicion", SPAMMER)]

    def test_a_slow_session_tells_those_around_it_apart(self) -> None:
        """What came in goes out afterwards: sessions a few steps apart are no rivals."""
        first = Hidden(lag=0.02)
        second = Hidden(lag=0.02, origin=USER, number=1, at=first.at + 0.05)

        tracing = traced(packets(*first.legs(), *second.legs()))

        assert named(tracing) == [("suspicion", SPAMMER), ("suspicion", USER)]

    def test_two_in_step_are_equal(self) -> None:
        """Nothing tells them apart: nobody is named, both are shown."""
        first, second = Hidden(), Hidden(origin=USER, number=1)

        tracing = traced(packets(*first.legs(), *second.legs()))

        assert named(tracing) == [("two-equal", None)] * 2
        for one in tracing.traces:
            assert {str(rival.address) for rival in one.rivals} == {SPAMMER, USER}

    def test_two_in_step_of_one_host_name_it(self) -> None:
        """Whichever of its connections it was, it was the same host."""
        first, second = Hidden(), Hidden(number=1)

        tracing = traced(packets(*first.legs(), *second.legs()))

        assert named(tracing) == [("suspicion", SPAMMER)] * 2

    def test_one_other_host_in_step_leaves_it_in_doubt(self) -> None:
        """Two connections of one host do not outvote a third that fits as well."""
        crowd = [Hidden(number=n, origin=(SPAMMER, SPAMMER, USER)[n]) for n in range(3)]

        tracing = traced(packets(*(leg for one in crowd for leg in one.legs())))

        assert named(tracing) == [("two-equal", None)] * 3

    @pytest.mark.parametrize("after", [-0.1, -0.02, 0.02, 0.1])
    def test_the_proxys_own_mail_is_nobodys(self, after: float) -> None:
        """The same mail at nearly the same time is not what somebody ordered."""
        ordered, _ = Hidden().legs()
        _, own = Hidden(at=100 + after, number=1).legs()

        tracing = traced(packets(ordered, own))

        assert [(one.answer, one.origin) for one in tracing.traces] == [(Answer.NONE, None)]
