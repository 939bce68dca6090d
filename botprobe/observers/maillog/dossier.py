"""What the logs know about single hosts, as facts for their dossiers."""

from botprobe.model.mail import IpAddress
from botprobe.model.results import TrafficResult
from botprobe.observers.maillog.analysis import Analysis, ClientSummary


def traffic_results(analysis: Analysis) -> dict[IpAddress, TrafficResult]:
    """Return a result for each of the busiest clients and drivers whose address is not masked."""
    return {
        client.address: _result(client, analysis)
        for client in analysis.clients
        if client.address is not None
    }


def _result(client: ClientSummary, analysis: Analysis) -> TrafficResult:
    asked = (one.mx_queries for one in analysis.mx_askers if one.client == client.client)
    return TrafficResult(
        connects=client.connects,
        accepted=client.accepted,
        rejects=tuple(sorted(client.rejects.items())),
        share=client.share,
        driver_days=tuple(
            one.alarm.day for one in analysis.incidents if client.client in one.drivers
        ),
        mx_queries=max(asked, default=0),
    )
