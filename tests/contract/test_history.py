"""The history of one address."""

from dataclasses import replace
from datetime import timedelta

from botprobe.contract.history import changes, history_document, timeline
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured, NotMeasured
from botprobe.model.results import PingResult, PortState, SmtpResult
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

        events = timeline(HISTORY, [late, late, early], [case])

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

        (event,) = timeline(None, [undated], [])

        assert event.at is None

    def test_a_refusal_is_told_and_compares_with_nothing(self) -> None:
        """Between two probes a refusal changes nothing."""
        first, last = bot_case(), replace(bot_case(), started=NOON + 2 * DAY)
        refused = replace(bot_case(), started=NOON + DAY, refused="opted out")

        events = timeline(None, [], [last, refused, first])

        assert [event.says for event in events][1] == "opted out"
        assert all(event.changed == () for event in events)

    def test_the_document_says_the_same(self) -> None:
        """Other programs read the same history."""
        document = history_document(HISTORY, [sighting()], [bot_case()])

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
