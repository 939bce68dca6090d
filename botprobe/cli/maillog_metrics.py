"""The newest day as metrics, in the text form that Prometheus' node exporter collects."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from botprobe.observers.maillog.analysis import Analysis


def metrics_text(analysis: Analysis) -> str:
    """Write the metrics; addresses are no labels, because their number has no bound."""
    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float | None) -> None:
        if value is not None:
            Gauge(f"botprobe_maillog_{name}", text, registry=registry).set(value)

    gauge("lines", "Lines read.", analysis.lines)
    gauge("unread_lines", "Lines not understood.", analysis.unread)
    gauge("alarms", "Abnormal days and level shifts in the log.", len(analysis.incidents))
    if analysis.days:
        day = analysis.days[-1]
        gauge("connects", "N_c of the newest day.", day.measured_connects)
        gauge("mails", "N_f of the newest day.", day.mails)
        gauge("alpha", "Mails per connection on the newest day.", day.alpha)
        gauge("queries", "D_q of the newest day.", day.queries)
        gauge("logins", "N_p of the newest day.", day.logins)
        newest = [one for one in analysis.incidents if one.alarm.day == day.day]
        gauge("alarm", "Whether the newest day is abnormal.", float(bool(newest)))
        rejects = Gauge(
            "botprobe_maillog_rejects", "Refused commands.", ["kind"], registry=registry
        )
        for kind, count in day.rejects.items():
            rejects.labels(kind).set(count)
    return generate_latest(registry).decode()
