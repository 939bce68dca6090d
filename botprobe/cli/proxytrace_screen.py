"""What tracing found, on a terminal: the sentence, the origins, the two legs, what to do."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from botprobe.cli.proxytrace_document import ours, stamp
from botprobe.cli.reading import files_read, lines_read
from botprobe.contract.case import rfc3339
from botprobe.model.text import counted, visible
from botprobe.observers.capture import CaptureNotes
from botprobe.observers.proxytrace.advice import Advice
from botprobe.observers.proxytrace.model import Answer, Trace
from botprobe.observers.proxytrace.proxylogs import LogTracing
from botprobe.observers.proxytrace.trace import Tracing
from botprobe.observers.proxytrace.wording import (
    MEANINGS,
    log_verdict,
    mails_of,
    verdict,
    victim_name,
)
from botprobe.observers.reading import ReadNotes

MAX_ORIGINS = 20
# A sequence is drawn of so many sessions, the first of each origin; --json has them all.
MAX_SEQUENCES = 5
MAX_RECEIVED = 3


def capture_screen(
    tracing: Tracing, notes: CaptureNotes, to_do: Sequence[Advice]
) -> RenderableType:
    """Draw what captures told."""
    parts: list[RenderableType] = [_headline(verdict(tracing), bad=bool(tracing.origins))]
    if tracing.proxies:
        parts.append(_proxies(tracing))
    if tracing.origins:
        parts.append(_origins(tracing))
    parts += [_sequence(one, tracing.own_domains) for one in examples(tracing)]
    parts += [_counts(tracing), *_advice(to_do), _reading(tracing, notes)]
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def log_screen(tracing: LogTracing, notes: ReadNotes, to_do: Sequence[Advice]) -> RenderableType:
    """Draw what a proxy's logs told."""
    parts: list[RenderableType] = [_headline(log_verdict(tracing), bad=bool(tracing.origins))]
    if tracing.origins:
        parts.append(_logged(tracing))
    parts += _advice(to_do)
    read = Text(f"{files_read(notes)}: {lines_read(tracing)}", style="dim")
    samples = [Text(visible(f"  not understood: {line}"), style="dim") for line in tracing.samples]
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts), read, *samples)


def examples(tracing: Tracing) -> list[Trace]:
    """Return one session of each origin, and one without any."""
    seen: set[object] = set()
    chosen: list[Trace] = []
    for one in tracing.traces:
        key = one.origin.address if one.origin else one.answer
        if key not in seen and len(chosen) < MAX_SEQUENCES:
            seen.add(key)
            chosen.append(one)
    return chosen


def _headline(text: str, *, bad: bool) -> RenderableType:
    style = "red" if bad else "green"
    return Panel(Text(visible(text)), title="proxytrace", title_align="left", border_style=style)


def _table(*names: str, numbers: Iterable[int] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, name in enumerate(names):
        table.add_column(name, justify="right" if place in numbers else "left", overflow="fold")
    return table


def _proxies(tracing: Tracing) -> RenderableType:
    table = _table("proxy", "ports", "why")
    for one in tracing.proxies:
        table.add_row(str(one.address), ", ".join(map(str, one.ports[:8])), one.because)
    return table


def _origins(tracing: Tracing) -> RenderableType:
    names = ("origin", "sessions", "mails", "rcpts", "first", "last", "order", "answer")
    table = _table(*names, numbers=(1, 2, 3))
    for one in tracing.origins[:MAX_ORIGINS]:
        table.add_row(
            Text(str(one.address), style="bold red"),
            *(f"{one.sessions:,}", f"{one.mails:,}", f"{one.recipients:,}"),
            *(stamp(one.first)[:19], stamp(one.last)[:19]),
            ", ".join(one.ways),
            ", ".join(f"{count:,} {answer}" for answer, count in one.answers),
        )
    if len(tracing.origins) > MAX_ORIGINS:
        table.add_row(f"and {len(tracing.origins) - MAX_ORIGINS:,} more")
    return table


def _sequence(trace: Trace, own_domains: Sequence[str]) -> RenderableType:
    """Draw origin, proxy and victim, and between them what was seen of each leg."""
    session, origin = trace.session, trace.origin
    unknown = trace.origin is None
    grid = Table.grid(padding=(0, 1))
    port = "" if session.proxy_port is None else f":{session.proxy_port}"
    grid.add_row(
        Text("?" if origin is None else f"{origin.address}:{origin.port}", style="bold red"),
        Text("- - - ?" if unknown else "-------▶", style="dim"),
        Text(f"{session.proxy}:{origin.proxy_port if origin else '?'}", style="bold"),
        Text("- - - ?" if session.proxy_port is None else "-------▶", style="dim"),
        Text(visible(victim_name(trace)), style="bold"),
    )
    order = "" if origin is None or origin.order is None else str(origin.order)
    left = "" if origin is None else stamp(origin.at)[11:23]
    right = "not captured" if session.proxy_port is None else stamp(session.opened)[11:23]
    grid.add_row(Text(left), Text(""), Text(f"from {port}" if port else ""), Text(""), Text(right))
    lines = [grid]
    notes = [Text(visible(order), style="cyan")] if order else []
    notes += [Text(visible(mails_of(trace))), *_mail_notes(trace, own_domains)]
    reasons = () if origin is None else origin.reasons
    notes += [Text(visible(f"{why.points:+.1f} {why.because}"), style="dim") for why in reasons]
    if trace.margin is not None:
        notes.append(Text(f"{trace.margin:.2f} points before the next one", style="dim"))
    style = "red" if trace.answer in (Answer.PROVEN, Answer.ORDERED) else "yellow"
    title = f" {MEANINGS[trace.answer]} "
    return Panel(Group(*lines, *notes), title=title, title_align="left", border_style=style)


def _mail_notes(trace: Trace, own_domains: Sequence[str]) -> Iterable[Text]:
    mails = trace.session.said.mails
    if own_domains and mails:
        count = sum(ours(mail, own_domains) is True for mail in mails)
        yield Text(f"{count:,} of {len(mails):,} have to do with our own domains")
    lines = [line for mail in mails for line in mail.received or ()]
    for line in lines[:MAX_RECEIVED]:
        yield Text(visible(f"forged by its sender: Received: {line}"), style="yellow")
    if len(lines) > MAX_RECEIVED:
        yield Text(f"and {len(lines) - MAX_RECEIVED:,} more Received fields", style="yellow")


def _counts(tracing: Tracing) -> RenderableType:
    rows = [f"{n:,} {MEANINGS[answer]}" for answer in Answer if (n := tracing.count(answer))]
    if tracing.refused_orders:
        rows.append(f"{len(tracing.refused_orders):,} orders that the proxy refused")
    return Group(*(Text(row) for row in rows))


def _logged(tracing: LogTracing) -> RenderableType:
    table = _table("origin", "asked", "refused", "since", "until", "for", numbers=(1, 2))
    for one in tracing.origins:
        shown = list(one.destinations.items())[:3]
        more = len(one.destinations) - len(shown) + one.more_destinations
        places = ", ".join(f"{place} ({count:,})" for place, count in shown)
        table.add_row(
            Text(str(one.address), style="bold red"),
            *(f"{one.orders:,}", f"{one.refused:,}"),
            *("?" if at is None else rfc3339(at)[:19] for at in (one.first, one.last)),
            Text(visible(f"{places}, and {more:,} more" if more > 0 else places)),
        )
    return table


def _advice(to_do: Sequence[Advice]) -> list[RenderableType]:
    if not to_do:
        return []
    rules = Text(
        "What to do: CONNECT to 443 only, inside users only, a password, and nobody but the mail "
        "server out on port 25."
    )
    blocks = [
        Group(
            Text(f"{one.program} ({one.file})", style="bold"),
            *(Text(f"    {line}", style="cyan") for line in one.lines),
        )
        for one in to_do
    ]
    return [Group(rules, *blocks)]


def _reading(tracing: Tracing, notes: CaptureNotes) -> RenderableType:
    text = (
        f"{files_read(notes)}, {counted(notes.packets, 'packet')} of interest, "
        f"{tracing.unread:,} unread"
    )
    if tracing.dropped:
        text += f", {counted(tracing.dropped, 'packet')} beyond the bound on connections"
    return Text(text, style="dim")
