"""The router's table as metrics for Prometheus' node exporter."""

from collections import Counter
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from botprobe.observers.router.table import Judgement, Standing


def router_metrics(judged: Sequence[Judgement]) -> str:
    """Write the metrics; addresses are no labels, because their number has no bound."""
    registry = CollectorRegistry()
    counts = Counter(one.standing for one in judged)
    standing = Gauge(
        "botprobe_router_addresses", "Addresses in the table.", ["standing"], registry=registry
    )
    for each in Standing:
        standing.labels(each.value).set(counts[each])
    highest = Gauge("botprobe_router_highest_credit", "The highest credit.", registry=registry)
    highest.set(max((one.entry.credit for one in judged), default=0))
    return generate_latest(registry).decode()
