"""Counters for Prometheus."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from botprobe.errors import ConfigError
from botprobe.model.mail import Hop, HopStatus, Mail
from botprobe.model.outcome import Measured, NotMeasured
from botprobe.model.results import PingResult
from botprobe.model.target import Target
from botprobe.model.work import Arrival, Claim, Presence, Rank, WorkerStatus
from botprobe.service.audience import Status
from botprobe.service.metrics import Metrics
from tests.cases import HOST, NOON, bot_case


def claim(rank: Rank = Rank.FRESH) -> Claim:
    """Return a claim on a host whose mail came two seconds ago."""
    due = datetime.now(UTC) - timedelta(seconds=2)
    return Claim(target=Target(HOST), rank=rank, due=due, attempt=1, tries=1)


class TestMetrics:
    def test_counts_without_naming_anybody(self) -> None:
        """All that a watch does is counted, and no address appears."""
        metrics = Metrics()
        bad = Hop(index=0, status=HopStatus.UNPARSEABLE, raw=f"from [{HOST}")
        mail = Mail(file="new/1", hops=(bad,))
        metrics.taken(Arrival(key="1", mail=mail, arrived=NOON, plans=()))
        metrics.claimed(claim())
        metrics.measured(Target(HOST), "ping", Measured(PingResult(sent=3, received=3), NOON, 0.4))
        metrics.measured(Target(HOST), "smtp", NotMeasured("egress blocked"))
        metrics.concluded(claim(), bot_case())
        metrics.concluded(claim(), replace(bot_case(), refused="cool-down: probed at 12:00"))
        metrics.status(Status(waiting=3, under_way=2, budget_left=7, halted="stop file"))
        text = metrics.text()

        for line in (
            'botprobe_mails_total{result="no-boundary",source="maildir"} 1.0',
            "botprobe_received_unparsed_total 1.0",
            'botprobe_probes_total{outcome="not-measured",probe="smtp"} 1.0',
            'botprobe_probe_duration_seconds_count{probe="ping"} 1.0',
            'botprobe_arrival_to_probe_seconds_bucket{le="5.0"} 1.0',
            'botprobe_arrival_to_verdict_seconds_bucket{le="1.0"} 0.0',
            'botprobe_verdicts_total{label="bot"} 1.0',
            'botprobe_refusals_total{reason="cool-down"} 1.0',
            "botprobe_queue_depth 3.0",
            "botprobe_store_up 1.0",
            "botprobe_budget_remaining 7.0",
            "botprobe_halted 1.0",
        ):
            assert line in text
        assert str(HOST) not in text

    def test_a_store_that_is_away_is_seen(self) -> None:
        """Mails wait in their mailboxes meanwhile: somebody has to be woken."""
        metrics = Metrics()
        metrics.status(Status(waiting=3, under_way=0, budget_left=7))
        metrics.status(Status(waiting=None, under_way=0, budget_left=7))

        assert "botprobe_store_up 0.0" in metrics.text()
        assert "botprobe_queue_depth 3.0" in metrics.text()

    def test_tells_who_works_and_what_is_given_up(self) -> None:
        """Of several machines: workers by place while they live, tries again, dead letters."""
        metrics = Metrics()
        here = WorkerStatus(
            presence=Presence(owner="probe:1", vantage="vienna", concurrency=9),
            started=NOON,
            silent=1.5,
        )
        other = replace(here, silent=7.0)
        metrics.claimed(replace(claim(), tries=2))
        given_up = replace(bot_case(), refused="given up: 20 tries ended without a case")
        metrics.concluded(claim(), given_up)
        metrics.status(Status(waiting=0, under_way=0, budget_left=7, workers=(here, other)))
        both = metrics.text()
        metrics.status(Status(waiting=0, under_way=0, budget_left=7))

        for line in (
            "botprobe_retries_total 1.0",
            "botprobe_dead_letters_total 1.0",
            'botprobe_workers{vantage="vienna"} 2.0',
            'botprobe_worker_silent_seconds{vantage="vienna"} 7.0',
        ):
            assert line in both
        assert "vienna" not in metrics.text()

    def test_a_later_look_is_no_delay(self) -> None:
        """A look that was planned for today did not wait for two months."""
        metrics = Metrics()
        metrics.claimed(claim(Rank.LATER))

        assert "botprobe_arrival_to_probe_seconds_count 0.0" in metrics.text()

    def test_tells_how_our_own_means_fare(self) -> None:
        """A mute canary and a list that refuses us are seen without naming an address."""
        metrics = Metrics()
        metrics.canary(1, greets=True)
        metrics.canary(2, greets=True)
        metrics.canary(2, greets=False)
        metrics.list_failed("bl.example", "too many queries (127.255.255.255)")
        metrics.list_failed("bl.example", "no answer in time")
        text = metrics.text()

        assert 'botprobe_canary_up{target="1"} 1.0' in text
        assert 'botprobe_canary_up{target="2"} 0.0' in text
        assert 'botprobe_dnsbl_errors_total{code="127.255.255.255",zone="bl.example"} 1.0' in text
        assert 'botprobe_dnsbl_errors_total{code="none",zone="bl.example"} 1.0' in text

    @pytest.mark.parametrize("place", ["9464", "localhost:", "127.0.0.1:99999", "127.0.0.1:x"])
    def test_a_wrong_place_is_one_clear_error(self, place: str) -> None:
        """A typing error is told before anything starts."""
        with pytest.raises(ConfigError, match="not an address with a port"):
            Metrics().serve(place)
