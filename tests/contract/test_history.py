"""The history of one address."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest

from botprobe.contract.history import Known, changes, history_document, timeline
from botprobe.contract.observation import (
    observation_document,
    observation_from_document,
    traffic_outcome,
)
from botprobe.errors import ParseError
from botprobe.model.facts import Facts
from botprobe.model.observation import Observation, Suspicion
from botprobe.model.outcome import Measured, NotMeasured
from botprobe.model.results import (
    MailLogTraffic,
    PingResult,
    PortState,
    RouterTraffic,
    SmtpResult,
    TrafficResult,
)
from botprobe.model.verdict import Label
from botprobe.model.work import HostHistory
from tests.cases import HOST, NOON, bot_case, sighting

DAY = timedelta(days=1)
HISTORY = HostHistory(
    address=HOST,
    first_seen=NOON - DAY,
    last_seen=NOON,
    sightings=5,
    due=NOON + 60 * DAY,
    refused=None,
)


class TestTimeline:
    def test_is_in_the_order_of_what_happened(self) -> None:
        """Mails, probes and the planned look stand where they belong in time."""
        early = replace(sighting(), delivered_at=NOON - DAY)
        late = replace(sighting(), delivered_at=NOON + DAY)
        case = bot_case()

        events = timeline(Known(HISTORY, [late, late, early]), [case])

        assert [event.kind for event in events] == ["mails", "mails", "probed", "mails", "planned"]
        assert [event.says.partition(" (")[0] for event in events] == [
            "2 earlier mails",
            "a mail",
            "bot, probability 0.97",
            "2 mails",
            "next look",
        ]

    def test_a_mail_without_a_date_comes_first(self) -> None:
        """A date that cannot be read hides no mail."""
        undated = replace(sighting(), delivered_at=None)

        (event,) = timeline(Known(sightings=[undated]), [])

        assert event.at is None

    def test_a_refusal_is_told_and_compares_with_nothing(self) -> None:
        """Between two probes a refusal changes nothing."""
        first, last = bot_case(), replace(bot_case(), started=NOON + 2 * DAY)
        refused = replace(bot_case(), started=NOON + DAY, refused="opted out")

        events = timeline(Known(), [last, refused, first])

        assert [event.says for event in events][1] == "opted out"
        assert all(event.changed == () for event in events)

    def test_the_document_says_the_same(self) -> None:
        """Other programs read the same history."""
        document = history_document(Known(HISTORY, [sighting()]), [bot_case()])

        assert document["sightings"] == 5
        assert document["due"] == "2027-01-21T12:00:00Z"
        assert [event["kind"] for event in document["timeline"]][-1] == "planned"


class TestChanges:
    def test_says_what_became_of_what(self) -> None:
        """The study looked again after two months: what had changed was its result."""
        before = bot_case()
        facts = replace(
            before.facts,
            ping=Measured(PingResult(sent=3, received=0), NOON, 1),
            smtp=Measured(SmtpResult(port=PortState.FILTERED), NOON, 1),
        )
        after = replace(
            before, facts=facts, verdict=replace(before.verdict, label=Label.UNREACHABLE)
        )

        assert list(changes(before, after)) == [
            "bot became unreachable",
            "ping: alive became silent",
            "port 25: closed (none) became filtered (none)",
        ]

    def test_what_was_not_measured_has_not_changed(self) -> None:
        """A probe that could not be made says nothing about the host."""
        unknown = NotMeasured("egress blocked")
        nothing = Facts(ping=unknown, os=unknown, smtp=unknown, dns=unknown)

        assert list(changes(bot_case(), replace(bot_case(), facts=nothing))) == []


class TestPlaces:
    def test_what_two_places_see_is_told_by_place(self) -> None:
        """Filtered here and open there is no change of the host: each place is named."""
        here = replace(bot_case(), vantage="vienna")
        opened = Measured(SmtpResult(port=PortState.OPEN), started=NOON, seconds=1)
        there = replace(here, facts=replace(here.facts, smtp=opened), vantage="lisbon")

        found = list(changes(here, there))
        (first, second) = timeline(Known(), [here, replace(there, started=NOON + DAY)])

        assert found == ["port 25: closed (none) from vienna, open (none) from lisbon"]
        assert first.says.endswith(", seen from vienna")
        assert second.changed == tuple(found)


class TestObserved:
    def test_observations_and_suspicions_have_their_place(self) -> None:
        """What nobody asked for stands among what was asked."""
        saw = MailLogTraffic(connects=900, accepted=0, share=0.5, driver_days=(date(2026, 11, 20),))
        seen = Observation(address=HOST, seen=NOON - DAY, saw=saw)
        suspected = Suspicion(at=NOON - DAY / 2, why="drove it")

        known = Known(observed=[seen], suspicions=[suspected])
        events = timeline(known, [bot_case()])

        assert [event.kind for event in events] == ["observed", "suspected", "probed"]
        assert "900 connections (50.0% of all)" in events[0].says
        assert "drove the abnormal load of 2026-11-20" in events[0].says
        (document,) = history_document(known, [])["observations"]
        assert observation_from_document(json.loads(json.dumps(document))) == seen


class TestTrafficOutcome:
    def test_puts_the_observers_together(self) -> None:
        """A verdict may use what each of them saw last."""
        saw = MailLogTraffic(connects=9, accepted=9)
        log = Observation(address=HOST, seen=NOON, saw=saw)
        old = Observation(address=HOST, seen=NOON - DAY, saw=_router(1))
        new = Observation(address=HOST, seen=NOON + DAY, saw=_router(2))

        outcome = traffic_outcome([new, log, old])

        assert isinstance(outcome, Measured)
        assert outcome.result == TrafficResult(maillog=saw, router=_router(2))
        assert outcome.started == NOON + DAY

    def test_nothing_observed_is_not_measured(self) -> None:
        """That no observer saw a host says nothing about it."""
        assert traffic_outcome([]) == NotMeasured("nothing observed")

    @pytest.mark.parametrize("damage", [{"ip": "x"}, {"observer": "spy"}, {"saw": {}}, {"seen": 5}])
    def test_a_damaged_document_is_a_parse_error(self, damage: dict[str, object]) -> None:
        """A store that was tampered with gives one clear error."""
        document = observation_document(Observation(address=HOST, seen=NOON, saw=_router(1)))

        with pytest.raises(ParseError, match="not a botprobe/observation/1 document"):
            observation_from_document(document | damage)


def _router(credit: int) -> RouterTraffic:
    return RouterTraffic(credit=credit, smtp_packets=credit, pop_imap_packets=0)
