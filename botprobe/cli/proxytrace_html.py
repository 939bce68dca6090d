"""What tracing found as one page: no script, no request, everything from outside escaped."""

from typing import Any

from botprobe import __version__
from botprobe.cli.proxytrace_document import stamp
from botprobe.cli.proxytrace_screen import MAX_RECEIVED, examples
from botprobe.observers.proxytrace.model import Trace
from botprobe.observers.proxytrace.trace import Tracing
from botprobe.observers.proxytrace.wording import MEANINGS, mails_of, victim_name
from botprobe.report.html import template_environment

# A drawing's names end here; the table has them whole.
MAX_NAME = 32


def proxytrace_page(verdict: str, document: dict[str, Any], tracing: Tracing | None) -> str:
    """Write the page.

    Args:
        verdict: the sentence on top.
        document: what was found, as JSON has it.
        tracing: what captures told; None if logs were read.
    """
    sequences = [] if tracing is None else [_sequence(one) for one in examples(tracing)]
    page = template_environment().get_template("proxytrace.html")
    return page.render(verdict=verdict, document=document, sequences=sequences, version=__version__)


def _sequence(trace: Trace) -> dict[str, Any]:
    session, origin = trace.session, trace.origin
    captured = session.proxy_port is not None
    first = "?" if origin is None else str(origin.address)
    order = "" if origin is None or origin.order is None else str(origin.order)
    at = "" if origin is None else f"{stamp(origin.at)[11:23]} "
    received = [line for mail in session.said.mails for line in mail.received or ()]
    return {
        "meaning": MEANINGS[trace.answer],
        "label": f"{first} ordered {victim_name(trace)} from {session.proxy}",
        "origin": _short(first),
        "proxy": _short(f"{session.proxy}"),
        "victim": _short(victim_name(trace)),
        "order": _short(f"{at}{order}", 38),
        "second": f"{stamp(session.opened)[11:23]} SMTP" if captured else "not captured",
        "known": origin is not None,
        "captured": captured,
        "mails": mails_of(trace),
        "reasons": () if origin is None else origin.reasons,
        "received": received[:MAX_RECEIVED],
    }


def _short(text: str, most: int = MAX_NAME) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
