"""What an analysis says in plain sentences; the same on every screen and page."""

from collections.abc import Iterator
from statistics import median

from botprobe.model.text import counted
from botprobe.observers.maillog.analysis import Analysis, Incident
from botprobe.observers.maillog.digits import told_apart
from botprobe.observers.maillog.drivers import Cause
from botprobe.observers.maillog.effect import BeforeAfter, Medians
from botprobe.observers.maillog.figures import Figures
from botprobe.observers.maillog.fit import Line
from botprobe.observers.maillog.model import (
    PUBLISHED_ALPHA_ABNORMAL,
    PUBLISHED_ALPHA_HOLIDAY,
    PUBLISHED_ALPHA_WEEKDAY,
    PUBLISHED_M_SMTP,
    PUBLISHED_S,
)

CAUSES = {
    Cause.SMTP_DOS: "few clients connect and hand nothing in (SMTP-DoS, or a broken program)",
    Cause.SIMPLE_ERROR: "few clients repeat mails that are refused (an error, or address guessing)",
    Cause.REMOVED_ACCOUNTS: "many known clients write to users that are gone (removed accounts)",
    Cause.DISTRIBUTED_BURST: "many clients, most of them new, at once (a distributed burst)",
}

# A client that makes this share of N_c, and hands in mail on no more than this share of its own.
DOMINANT = 0.25
USELESS = 0.1


def verdict(analysis: Analysis) -> str:
    """Return one paragraph: how the server is, what was abnormal, who did it, what to do."""
    if not analysis.days or not any(day.connects for day in analysis.days):
        return no_connections(analysis)
    sentences = [_health(analysis), *_dominant(analysis)]
    abnormal = [one for one in analysis.incidents if one.alarm.alpha is not None]
    if not abnormal:
        sentences.append(_nothing_abnormal(analysis))
    else:
        count = f"{len(abnormal)} days were" if len(abnormal) > 1 else "One day was"
        sentences.append(f"{count} abnormal.")
        worst = min(abnormal, key=lambda one: one.alarm.alpha.z if one.alarm.alpha else 0.0)
        sentences.append(incident_sentence(worst))
    if analysis.mx_askers:
        first = analysis.mx_askers[0]
        askers = len(analysis.mx_askers)
        hosts = "One host asks" if askers == 1 else f"{askers} hosts ask"
        sentences.append(
            f"{hosts} for MX records without being a mail server, "
            f"first {first.client} ({first.mx_queries:,} on {first.day})."
        )
    return " ".join(sentences)


def incident_sentence(incident: Incident) -> str:
    """Return what happened on an abnormal day, and who drove it."""
    sentence = f"On {incident.alarm.day} {incident.alarm.because}"
    found = incident.attribution
    if found is None or found.cause is None:
        return sentence
    sentence += f" The cause looks like this: {CAUSES[found.cause]}."
    if incident.drivers and found.cause in {Cause.SMTP_DOS, Cause.SIMPLE_ERROR}:
        first = found.drivers[0]
        sentence += f" {incident.drivers[0]} made {first.share:.0%} of N_c."
        if first.alpha_without is not None:
            sentence += f" Without it alpha would be {told_apart(first.alpha_without)[0]}."
    else:
        sentence += f" {found.crowd:,} clients wasted more connections than usual"
        sentence += "; none of them is to blame alone."
    return sentence


def no_connections(analysis: Analysis) -> str:
    """Return why there is nothing to say."""
    if any(day.measured_connects is None for day in analysis.days):
        mails = sum(day.mails for day in analysis.days)
        refused = sum(day.rejected + day.sasl_failures for day in analysis.days)
        return (
            f"The log tells of {counted(mails, 'mail')} and {counted(refused, 'refusal')} but of "
            "no connection: N_c and alpha were not measured. sendmail logs connections from "
            "LogLevel 10 on, Exim with log_selector = +smtp_connection."
        )
    told = _without_clients(analysis)
    if not told:
        return f"No event of a mail server was recognised in {counted(analysis.lines, 'line')}."
    return (
        "The log tells of no connection of a client: alpha was not measured. It has "
        f"{', '.join(told)}."
    )


def _without_clients(analysis: Analysis) -> list[str]:
    """Return what a log tells in which no client connected to smtpd."""
    days = analysis.days
    counts = {
        ("mail sent from here", "mails sent from here"): sum(day.mails for day in days),
        ("delivery", "deliveries"): sum(sum(day.statuses.values()) for day in days),
        ("POP3 login", "POP3 logins"): sum(day.logins for day in days),
        ("event of postscreen", "events of postscreen"): sum(
            sum(day.postscreen.values()) for day in days
        ),
        ("DNS query", "DNS queries"): sum(day.queries or 0 for day in days),
    }
    return [counted(count, one, many) for (one, many), count in counts.items() if count]


def unknown_sentence(analysis: Analysis) -> str | None:
    """Return how many connections belong to no client; None where all do."""
    if not analysis.unknown:
        return None
    connections = "connection names" if analysis.unknown == 1 else "connections name"
    return f"{analysis.unknown:,} {connections} no address: counted in N_c, and nobody's."


def effect_sentence(incident: Incident) -> str | None:
    """Return what the day would have been without its drivers; None without any."""
    effect = incident.effect
    if effect is None or not incident.drivers:
        return None
    alpha = "none" if effect.alpha_without is None else told_apart(effect.alpha_without)[0]
    asked = "" if effect.queries_without is None else f", D_q {effect.queries_without:,.0f}"
    return f"N_c {effect.connects_without:,}, alpha {alpha}{asked}"


def change_table(change: BeforeAfter) -> list[tuple[str, ...]]:
    """Return what an action did, the heads first; each measure is a median of days."""
    columns: list[tuple[str, Medians | None]] = [
        (f"{counted(change.days_before, 'day')} before", change.before),
        (f"{change.days_abnormal} abnormal ones", change.abnormal),
        ("these without their drivers", change.foretold),
        (f"{counted(change.days_after, 'day')} after", change.after),
    ]
    known = [(name, medians) for name, medians in columns if medians is not None]
    rows = [("medians", *(name for name, _ in known))]
    for name, decimals in (("N_c", 0), ("alpha", 2), ("D_q", 0)):
        values = [medians.of(name) for _, medians in known]
        texts = ("unknown" if value is None else f"{value:,.{decimals}f}" for value in values)
        rows.append((name, *texts))
    return rows


def model_rows(analysis: Analysis) -> list[tuple[str, str]]:
    """Return the habits of the server: each one's name and value, beside what was published."""
    model = analysis.model
    rows = [
        ("m_SMTP", _fit(model.dns, PUBLISHED_M_SMTP)),
        ("s", _fit(model.mails, PUBLISHED_S)),
        ("alpha", _usual_alphas(analysis)),
    ]
    if model.q is not None:
        kn = "" if model.kn is None else f", kn = {model.kn:.2f}"
        rows.append(("q", f"{model.q:.3f}{kn}"))
    return rows


def _fit(line: Line | None, published_value: float) -> str:
    if line is None:
        return "not measured: it takes five days with D_q, or with mails"
    r = "" if line.r is None else f", r = {line.r:.3f}"
    return (
        f"{line.slope:.3f} (95 %: {line.low:.3f} to {line.high:.3f}), "
        f"{line.points} days{r}; published {published_value}"
    )


def _usual_alphas(analysis: Analysis) -> str:
    kinds = (
        ("working days", False, PUBLISHED_ALPHA_WEEKDAY),
        ("holidays", True, PUBLISHED_ALPHA_HOLIDAY),
    )
    parts = [
        f"{told_apart(alpha)[0]} on {name} (published {value:.2f})"
        for name, holiday, value in kinds
        if (alpha := usual_alpha(analysis.days, holiday=holiday)) is not None
    ]
    worst = ", ".join(f"{value:.2f}" for value in PUBLISHED_ALPHA_ABNORMAL)
    return "; ".join([*parts, f"published abnormal days {worst}"])


def usual_alpha(days: tuple[Figures, ...], *, holiday: bool) -> float | None:
    """Return the median of alpha on working days or on holidays."""
    known = [day.alpha for day in days if day.holiday == holiday and day.alpha is not None]
    return median(known) if known else None


def _health(analysis: Analysis) -> str:
    connects = sum(day.connects for day in analysis.days)
    mails = sum(day.mails for day in analysis.days)
    usual = [
        f"{told_apart(alpha)[0]} on {name}"
        for name, holiday in (("working days", False), ("holidays", True))
        if (alpha := usual_alpha(analysis.days, holiday=holiday)) is not None
    ]
    return (
        f"In {counted(len(analysis.days), 'day')} the server took {counted(mails, 'mail')} in "
        f"{counted(connects, 'connection')} of {counted(analysis.client_count, 'client')}; "
        f"alpha is usually {' and '.join(usual)}."
    )


def _dominant(analysis: Analysis) -> Iterator[str]:
    """Name a client that makes much of N_c and hands in next to nothing, if there is one.

    No history is needed to see it, so it is told of the shortest log too.
    """
    for client in analysis.clients:
        useless = client.accepted <= USELESS * client.connects
        if client.share >= DOMINANT and useless and client.client not in analysis.drivers:
            yield (
                f"{client.client} made {client.share:.0%} of all connections and handed in "
                f"{client.accepted or 'no'} mail{'s' if client.accepted > 1 else ''}: a monitor, "
                "or the first to ask about."
            )
            return


def _nothing_abnormal(analysis: Analysis) -> str:
    judged = len(analysis.days)
    if judged < 6:
        return "These are too few days to call one of them abnormal."
    return "No day was abnormal."
