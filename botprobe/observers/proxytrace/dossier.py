"""What tracing knows about single hosts, for their dossiers."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime

from botprobe.model.mail import IpAddress
from botprobe.model.observation import Observation
from botprobe.model.results import ProxyRole, ProxyTraffic
from botprobe.model.text import counted
from botprobe.observers.proxytrace.model import Answer, Trace
from botprobe.observers.proxytrace.proxylogs import LoggedOrigin
from botprobe.observers.proxytrace.trace import Tracing

MAX_PEERS = 100
# An order that only times and sizes tell is too little to stand in somebody's dossier.
SURE = frozenset((Answer.PROVEN, Answer.ORDERED, Answer.ONE_LEG))


def observations(tracing: Tracing) -> list[Observation]:
    """Return what is sure of origins and proxies."""
    sent: dict[tuple[IpAddress, ProxyRole], list[tuple[Trace, IpAddress]]] = defaultdict(list)
    for one in tracing.traces:
        if one.origin is not None and one.answer in SURE:
            origin, proxy = one.origin.address, one.session.proxy
            sent[origin, ProxyRole.ORDERED].append((one, proxy))
            sent[proxy, ProxyRole.CARRIED].append((one, origin))
    return [_observed(host, role, its) for (host, role), its in sent.items()]


def suspects(tracing: Tracing) -> dict[IpAddress, str]:
    """Return the origins that are sure, each with the reason to probe it."""
    return {
        one.address: f"ordered {counted(one.saw.mails, 'mail')} from a proxy"
        for one in observations(tracing)
        if isinstance(one.saw, ProxyTraffic) and one.saw.role is ProxyRole.ORDERED
    }


def logged_suspects(origins: Iterable[LoggedOrigin]) -> dict[IpAddress, str]:
    """Return those whose orders a proxy's log shows as carried out."""
    return {
        one.address: f"asked a proxy {counted(carried_out, 'time')} for mail connections"
        for one in origins
        if (carried_out := one.orders - one.refused) > 0
    }


def _observed(
    host: IpAddress, role: ProxyRole, traces: list[tuple[Trace, IpAddress]]
) -> Observation:
    mails = sum(len(one.session.said.mails) + one.session.said.more_mails for one, _ in traces)
    return Observation(
        address=host,
        seen=datetime.fromtimestamp(max(one.session.opened for one, _ in traces), tz=UTC),
        saw=ProxyTraffic(
            role=role,
            mails=mails,
            peers=tuple(sorted({str(peer) for _, peer in traces}))[:MAX_PEERS],
        ),
    )
