"""What tracing found, in sentences: the same on screen and page."""

from botprobe.model.text import counted
from botprobe.observers.proxytrace.model import Answer, Trace
from botprobe.observers.proxytrace.proxylogs import LogTracing
from botprobe.observers.proxytrace.trace import Tracing

MEANINGS = {
    Answer.PROVEN: "proven: the same bytes went through both connections",
    Answer.ORDERED: "ordered just before, and nothing contradicts it",
    Answer.SUSPICION: "a suspicion only: one connection is encrypted, times and sizes fit",
    Answer.EQUAL: "two connections fit equally well: nobody is named",
    Answer.NONE: "none found: the host's own mail, or its order was not captured",
    Answer.ONE_LEG: "one leg only: the connection that the proxy opened was not captured",
}


def verdict(tracing: Tracing) -> str:
    """Say in a sentence or two what a capture tells."""
    if not tracing.proxies:
        return (
            "No proxy found: no host opened mail connections without being a mail server, "
            "and nobody ordered one."
        )
    hosts = ", ".join(str(one.address) for one in tracing.proxies)
    if not tracing.traces:
        return f"No mail session left {hosts}, and nobody ordered one that was carried out."
    named = sum(origin.sessions for origin in tracing.origins)
    origins = ", ".join(str(one.address) for one in tracing.origins[:3])
    more = f" and {len(tracing.origins) - 3:,} more" if len(tracing.origins) > 3 else ""
    total = counted(len(tracing.traces), "mail session")
    if not named:
        return f"{total} by way of {hosts}; nobody's connection ordered them, as far as captured."
    return f"{total} by way of {hosts}: {named:,} ordered by {origins}{more}."


def log_verdict(tracing: LogTracing) -> str:
    """Say in a sentence what a proxy's logs tell."""
    origins = tracing.origins
    if not origins:
        return "Nobody asked for a mail connection."
    orders, refused = sum(o.orders for o in origins), sum(o.refused for o in origins)
    clients = counted(len(origins), "client")
    return f"{clients} asked {counted(orders, 'time')} for a mail connection, {refused:,} refused."


def victim_name(trace: Trace) -> str:
    """Write the victim with its port."""
    host = str(trace.session.victim)
    return (
        f"[{host}]:{trace.session.victim_port}"
        if ":" in host
        else f"{host}:{trace.session.victim_port}"
    )


def mails_of(trace: Trace) -> str:
    """Say what a session carried."""
    said = trace.session.said
    count = len(said.mails) + said.more_mails
    if said.encrypted and not count:
        return "encrypted: no envelope to be seen"
    if not count:
        return "no mail" if said.helo else "not a word was said"
    first, size = said.mails[0], sum(mail.size for mail in said.mails)
    to = first.recipients[0] if first.recipients else "?"
    recipients = sum(mail.recipient_count for mail in said.mails)
    return (
        f"{counted(count, 'mail')} to {counted(recipients, 'recipient')}, {counted(size, 'byte')}; "
        f"the first from <{first.sender}> to <{to}>"
    )
