"""A mail log's analysis as JSON (schema ``botprobe/maillog/1``)."""

import math
from typing import Any

from botprobe.observers.maillog.analysis import Analysis, ClientSummary, Incident
from botprobe.observers.maillog.effect import BeforeAfter, Medians
from botprobe.observers.maillog.figures import Figures
from botprobe.observers.maillog.fit import Line
from botprobe.observers.maillog.model import Model
from botprobe.observers.maillog.wording import usual_alpha, verdict


def maillog_document(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis as plain types."""
    return {
        "schema": "botprobe/maillog/1",
        "verdict": verdict(analysis),
        "read": {"files": analysis.read.files, "damaged": analysis.read.damaged},
        "lines": analysis.lines,
        "unread": {
            "count": analysis.unread,
            "too_long": analysis.too_long,
            "samples": [sample.decode("utf-8", "replace") for sample in analysis.unread_samples],
        },
        "clients_seen": analysis.client_count,
        "alpha_usual": {
            "working_days": usual_alpha(analysis.days, holiday=False),
            "holidays": usual_alpha(analysis.days, holiday=True),
        },
        "model": _model(analysis.model),
        "alarms": [incident_document(incident) for incident in analysis.incidents],
        "drivers": list(analysis.drivers),
        "days": [_figures(day) | {"n_c_unknown": day.unknown} for day in analysis.days],
        "hours": _hours(analysis),
        "clients": [_client(client) for client in analysis.clients],
        "monitors": list(analysis.monitors),
        "query_types": dict(analysis.query_types),
        "mx_askers": [
            {
                "client": asker.client,
                "mx_queries": asker.mx_queries,
                "day": asker.day.isoformat(),
                "share": asker.share,
            }
            for asker in analysis.mx_askers
        ],
        "before_after": None if analysis.change is None else _change(analysis.change),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "day": figures.day.isoformat(),
        "hour": figures.hour,
        "holiday": figures.holiday,
        "n_c": figures.measured_connects,
        "n_f": figures.mails,
        "n_f_lines": figures.activations,
        "n_p": figures.logins,
        "n_to": sum(figures.statuses.values()),
        "d_q": figures.queries,
        "alpha": figures.alpha,
        "received": figures.received,
        "transmitted": figures.transmitted,
        "pickups": figures.pickups,
        "statuses": dict(figures.statuses),
        "rejects": dict(figures.rejects),
        "sasl_failures": figures.sasl_failures,
        "postscreen": dict(figures.postscreen),
    }


def _hours(analysis: Analysis) -> list[dict[str, Any]]:
    """Return the hours; a mail may come in an hour without connections, on a day with some."""
    measured = {day.day for day in analysis.days if day.measured_connects is not None}
    return [
        _figures(hour) | {"n_c": hour.connects if hour.day in measured else None}
        for hour in analysis.hours
    ]


def _model(model: Model) -> dict[str, Any]:
    return {
        "m_smtp": None if model.dns is None else _line(model.dns),
        "s": None if model.mails is None else _line(model.mails),
        "q": model.q,
        "kn": model.kn,
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "value": line.slope,
        "interval": [line.low, line.high],
        "intercept": line.intercept,
        "r": line.r,
        "days": line.points,
    }


def incident_document(incident: Incident) -> dict[str, Any]:
    """Return one alarm, with its drivers and its day without them, as plain types."""
    alarm, found, effect = incident.alarm, incident.attribution, incident.effect
    document: dict[str, Any] = {
        "kind": str(alarm.kind),
        "day": alarm.day.isoformat(),
        "because": alarm.because,
    }
    if alarm.alpha is not None:
        document["alpha"] = math.exp(alarm.alpha.value)
        document["alpha_usual"] = math.exp(alarm.alpha.usual)
        document["z"] = alarm.alpha.z
    if found is not None:
        document["cause"] = found.cause and str(found.cause)
        document["crowd"] = found.crowd
        document["new_share"] = found.new_share
        document["drivers"] = [
            {
                "client": name,
                "n_c": driver.connects,
                "accepted": driver.accepted,
                "rejects": driver.rejects,
                "share": driver.share,
                "excess_share": driver.excess_share,
                "alpha_without": driver.alpha_without,
            }
            for name, driver in zip(incident.drivers, found.drivers, strict=True)
        ]
    if effect is not None:
        document["without_drivers"] = {
            "n_c": effect.connects_without,
            "alpha": effect.alpha_without,
            "d_q": effect.queries_without,
        }
    return document


def _client(client: ClientSummary) -> dict[str, Any]:
    return {
        "client": client.client,
        "n_c": client.connects,
        "accepted": client.accepted,
        "rejects": dict(client.rejects),
        "sasl_failures": client.sasl_failures,
        "share": client.share,
        "correlation": client.correlation,
        "per_day": list(client.series),
    }


def _change(change: BeforeAfter) -> dict[str, Any]:
    foretold, abnormal = change.foretold, change.abnormal
    return {
        "since": change.since.isoformat(),
        "days": [change.days_before, change.days_after],
        "n_c": [change.before.connects, change.after.connects],
        "alpha": [change.before.alpha, change.after.alpha],
        "d_q": [change.before.queries, change.after.queries],
        "abnormal_days": change.days_abnormal,
        "abnormal": None if abnormal is None else _medians(abnormal),
        "foretold": None if foretold is None else _medians(foretold),
    }


def _medians(medians: Medians) -> dict[str, float | None]:
    return {"n_c": medians.connects, "alpha": medians.alpha, "d_q": medians.queries}
