"""All that was measured about one target, one field per probe."""

from dataclasses import dataclass

from botprobe.model.outcome import NotMeasured, Outcome
from botprobe.model.results import (
    DnsblResult,
    DnsResult,
    ElsewhereResult,
    NetworkResult,
    OsResult,
    PassiveResult,
    PingResult,
    ProxyResult,
    SmtpResult,
    TrafficResult,
    WindowsResult,
)

NOT_ASKED = NotMeasured("not asked")
NOTHING_OBSERVED = NotMeasured("nothing observed")
"""No observer saw the host, which tells nothing about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The outcomes of all probes; what was not asked is not measured."""

    ping: Outcome[PingResult] = NOT_ASKED
    os: Outcome[OsResult] = NOT_ASKED
    smtp: Outcome[SmtpResult] = NOT_ASKED
    dns: Outcome[DnsResult] = NOT_ASKED
    dnsbl: Outcome[DnsblResult] = NOT_ASKED
    windows: Outcome[WindowsResult] = NOT_ASKED
    proxy: Outcome[ProxyResult] = NOT_ASKED
    passive: Outcome[PassiveResult] = NOT_ASKED
    network: Outcome[NetworkResult] = NOT_ASKED
    traffic: Outcome[TrafficResult] = NOT_ASKED
    elsewhere: Outcome[ElsewhereResult] = NOT_ASKED
    """Where there are several places to look from: the look of another one within the last day."""
