"""Counters for Prometheus: an audience that only counts. No address is ever a label.

Served in the text format of Prometheus, on an address of the operator's choice, which should be
loopback: whoever reads it sees how a trap fares.
"""

import re
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    generate_latest,
    start_http_server,
)

from botprobe import __version__
from botprobe.errors import ConfigError
from botprobe.model.mail import HopStatus
from botprobe.model.outcome import Measured, Outcome
from botprobe.model.target import Target
from botprobe.model.text import visible
from botprobe.model.verdict import Case
from botprobe.model.work import GIVEN_UP, Arrival, Claim, Rank, WorkerStatus
from botprobe.service.audience import Status

# From the first packet within a blink to hosts that waited for a day.
_WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 1800, 7200, 86400)
_PROBES = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 20, 40, 80, 160)

# Reasons are clauses with numbers and addresses in them; a label takes only their first words.
_REASON_WORDS = 2

# The code by which a block list refuses, in what the probe says of it.
_REFUSED = re.compile(r"127\.255\.255\.[0-9]{1,3}")


def read_place(text: str, key: str = "watch.metrics") -> tuple[str, int]:
    """Read the address and port to serve at; without an address, loopback.

    Args:
        text: such as ``127.0.0.1:9464``.
        key: the setting or option that it is of.

    Raises:
        ConfigError: it is none.
    """
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdecimal() and len(port) < 6 and int(port) < 65_536):
        raise ConfigError(f"{key}: {text!r} is not an address with a port")
    return host.strip("[]") or "127.0.0.1", int(port)


class _Registry(CollectorRegistry):
    """All that is counted, under the program's name."""

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"botprobe_{name}", text, labels, registry=self)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"botprobe_{name}", text, labels, registry=self)

    def histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"botprobe_{name}", text, labels, registry=self, buckets=buckets)


class Metrics:
    """Counts what a watch does."""

    def __init__(self) -> None:
        registry = self.registry = _Registry()
        counter, gauge, histogram = registry.counter, registry.gauge, registry.histogram
        self._mails = counter("mails", "Mails taken", "source", "result")
        self._unparsed = counter("received_unparsed", "Received fields that cannot be read")
        self._hops = counter("hops", "Received fields by trust", "trust")
        self._probes = counter("probes", "Probes by outcome", "probe", "outcome")
        self._verdicts = counter("verdicts", "Verdicts by label", "label")
        self._refusals = counter("refusals", "Hosts that were not probed", "reason")
        self._troubles = counter("troubles", "Things that went wrong")
        self._retries = counter("retries", "Hosts claimed again after a try without a case")
        self._dead_letters = counter("dead_letters", "Hosts that were given up after many tries")
        self._workers = gauge("workers", "Workers that share the store and live", "vantage")
        self._silent = gauge(
            "worker_silent_seconds", "Since the most silent worker said that it lives", "vantage"
        )
        self._store_up = gauge("store_up", "1 if the store answered when last asked")
        self._waiting = gauge("queue_depth", "Hosts that are due and not yet asked")
        self._under_way = gauge("under_way", "Hosts that are being asked")
        self._budget = gauge("budget_remaining", "Probes that hour and day still allow")
        self._halted = gauge("halted", "1 while nobody may be probed")
        self._canary = gauge("canary_up", "1 if it greeted when last asked", "target")
        self._dnsbl_errors = counter(
            "dnsbl_errors", "Answers of block lists that cannot be used", "zone", "code"
        )
        self._last_mail = gauge("last_mail_timestamp_seconds", "When the newest mail was taken")
        self._probe_seconds = histogram(
            "probe_duration_seconds", "Duration of a probe", _PROBES, "probe"
        )
        self._to_probe = histogram(
            "arrival_to_probe_seconds", "From a mail's arrival to the first probe", _WAITS
        )
        self._to_verdict = histogram(
            "arrival_to_verdict_seconds", "From a mail's arrival to the verdict", _WAITS
        )
        Info("botprobe_build", "This program", registry=registry).info({"version": __version__})

    def serve(self, place: str) -> None:
        """Serve the counters in a thread of their own.

        Raises:
            ConfigError: ``place`` is no address and port, or cannot be listened on.
        """
        host, port = read_place(place)
        try:
            start_http_server(port, host, self.registry)
        except OSError as error:
            raise ConfigError(f"watch.metrics: {place}: {error.strerror}") from error

    def text(self) -> str:
        """Write all counters in the format of Prometheus."""
        return generate_latest(self.registry).decode()

    def taken(self, arrival: Arrival) -> None:
        """Count a mail and its hops."""
        result = "boundary" if arrival.mail.source_ip is not None else "no-boundary"
        self._mails.labels("maildir", result).inc()
        self._last_mail.set(time.time())
        for hop in arrival.mail.hops:
            self._hops.labels(hop.trust or "none").inc()
            if hop.status is HopStatus.UNPARSEABLE:
                self._unparsed.inc()

    def claimed(self, claim: Claim) -> None:
        """Count the time from the arrival of a mail to its host's first probe."""
        if claim.tries > 1:
            self._retries.inc()
        if claim.rank is not Rank.LATER:
            self._to_probe.observe(_seconds_since(claim.due))

    def started(self, target: Target) -> None:
        """Count nothing: a claim was counted already."""

    def measured(self, _target: Target, probe: str, outcome: Outcome[Any]) -> None:
        """Count a probe and its duration."""
        match outcome:
            case Measured(seconds=seconds):
                self._probes.labels(probe, "measured").inc()
                self._probe_seconds.labels(probe).observe(seconds)
            case _:
                self._probes.labels(probe, "not-measured").inc()

    def finished(self, case: Case) -> None:
        """Count nothing: only a case that was kept counts."""

    def concluded(self, claim: Claim, case: Case) -> None:
        """Count a verdict or a refusal."""
        if case.refused is not None:
            if case.refused.startswith(GIVEN_UP):
                self._dead_letters.inc()
            self._refusals.labels(_kind(case.refused)).inc()
            return
        self._verdicts.labels(case.verdict.label).inc()
        if claim.rank is not Rank.LATER:
            self._to_verdict.observe(_seconds_since(claim.due))

    def status(self, status: Status) -> None:
        """Take over how the watch stands."""
        self._store_up.set(status.waiting is not None)
        if status.waiting is not None:
            self._waiting.set(status.waiting)
        self._under_way.set(status.under_way)
        self._budget.set(status.budget_left)
        self._halted.set(status.halted is not None)
        self._tell_workers(status.workers)

    def _tell_workers(self, workers: Sequence[WorkerStatus]) -> None:
        """Take over who works where; a place without workers is gone."""
        places: defaultdict[str, list[float]] = defaultdict(list)
        for worker in workers:
            places[visible(worker.presence.vantage)].append(worker.silent)
        self._workers.clear()
        self._silent.clear()
        for place, silent in places.items():
            self._workers.labels(place).set(len(silent))
            self._silent.labels(place).set(max(silent))

    def canary(self, place: int, *, greets: bool) -> None:
        """Take over whether a canary greets; it is known by its place in ``canary.hosts``."""
        self._canary.labels(str(place)).set(greets)

    def list_failed(self, zone: str, because: str) -> None:
        """Count an answer that cannot be used, by its code if the list refused."""
        refused = _REFUSED.search(because)
        self._dnsbl_errors.labels(zone, "none" if refused is None else refused[0]).inc()

    def trouble(self, _line: str) -> None:
        """Count a trouble."""
        self._troubles.inc()


def _kind(reason: str) -> str:
    words = reason.partition(":")[0].split()[:_REASON_WORDS]
    return " ".join(word for word in words if word.isalpha() or "-" in word)


def _seconds_since(moment: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())
