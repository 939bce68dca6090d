"""What routers saw and did in a period, from the observations that they left in the dossiers."""

import json

from sqlalchemy import Connection, Select, select

from botprobe.contract.observation import observation_from_document
from botprobe.model.observation import Observer
from botprobe.model.results import RouterAction, RouterTraffic
from botprobe.model.weekly import Period, RouterCounts, RouterSuspect
from botprobe.store.schema import observations

# A page for people: longer lists are for `botprobe host` and the router's own --json.
LISTED = 15


def router_statement(period: Period) -> Select[tuple[str, str]]:
    """Write the query for what routers observed, oldest first."""
    return (
        select(observations.c.ip, observations.c.document)
        .where(
            observations.c.observer == str(Observer.ROUTER),
            observations.c.seen >= period.first.start.timestamp(),
            observations.c.seen < period.last.end.timestamp(),
        )
        .order_by(observations.c.seen)
    )


def router_counts(connection: Connection, period: Period) -> RouterCounts:
    """Count the hosts, each as it was last seen in the period."""
    latest: dict[str, RouterTraffic] = {}
    for row in connection.execute(router_statement(period)):
        saw = observation_from_document(json.loads(row.document)).saw
        assert isinstance(saw, RouterTraffic)  # noqa: S101  # as the observer says
        latest[row.ip] = saw
    actions = [saw.action for saw in latest.values()]
    suspects = sorted(
        (
            RouterSuspect(ip=ip, credit=saw.credit, action=saw.action, stopped=saw.stopped)
            for ip, saw in latest.items()
            if saw.suspect
        ),
        key=lambda one: (-one.credit, one.ip),
    )
    return RouterCounts(
        hosts=len(latest),
        suspects=len(suspects),
        dropped=actions.count(RouterAction.DROP),
        redirected=actions.count(RouterAction.REDIRECT),
        stopped=sum(saw.stopped for saw in latest.values()),
        listed=tuple(suspects[:LISTED]),
    )
