"""A mail log's analysis on a terminal: the verdict, then curves and tables."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from botprobe.cli.reading import files_read, lines_read
from botprobe.model.text import visible
from botprobe.observers.maillog.analysis import Analysis, Incident
from botprobe.observers.maillog.effect import BeforeAfter
from botprobe.observers.maillog.wording import (
    change_table,
    effect_sentence,
    incident_sentence,
    model_rows,
    unknown_sentence,
    verdict,
)

BARS = "▁▂▃▄▅▆▇█"
# As many days as fit beside their names on a terminal of 100 columns.
MAX_COLUMNS = 84
MAX_ROWS = 10
PEAK = 4


def maillog_screen(analysis: Analysis) -> RenderableType:
    """Draw everything."""
    abnormal = any(one.alarm.alpha is not None for one in analysis.incidents)
    parts: list[RenderableType] = [
        Panel(
            Text(visible(verdict(analysis))),
            title="mail log",
            title_align="left",
            border_style="red" if abnormal else "green",
        )
    ]
    if analysis.days:
        parts += [_curves(analysis), _model(analysis), _rejects(analysis), _clients(analysis)]
    parts += [_incident(incident) for incident in analysis.incidents]
    if analysis.change is not None:
        parts.append(_change(analysis.change))
    if analysis.mx_askers:
        parts.append(_mx_askers(analysis))
    parts.append(_reading(analysis))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def sparkline(values: Sequence[float | None]) -> str:
    """Draw values as bars from zero to their maximum; what is unknown stays empty.

    A single peak would make all other days alike: it is cut at four times the usual.
    """
    known = [value for value in values if value is not None]
    top = min(max(known, default=0), PEAK * median(known or [0])) or max(known, default=0) or 1
    steps = len(BARS) - 1
    return "".join(
        " " if value is None else BARS[round(min(value / top, 1) * steps)] for value in values
    )


def _curves(analysis: Analysis) -> RenderableType:
    days = analysis.days[-MAX_COLUMNS:]
    alarmed = {one.alarm.day for one in analysis.incidents if one.alarm.alpha is not None}
    table = Table.grid(padding=(0, 1))
    rows: list[tuple[str, list[float | None]]] = [
        ("N_c", [day.measured_connects for day in days]),
        ("N_f", [day.mails for day in days]),
        ("alpha", [day.alpha for day in days]),
        ("D_q", [day.queries for day in days]),
    ]
    for name, values in rows:
        known = [value for value in values if value is not None]
        if known:
            top = f"{max(known):.2f}" if name == "alpha" else f"{max(known):,.0f}"
            table.add_row(Text(name, style="dim"), Text(sparkline(values)), Text(f"max {top}"))
        else:
            table.add_row(Text(name, style="dim"), Text("not measured", style="dim"))
    marks = "".join("!" if d.day in alarmed else "·" if d.holiday else " " for d in days)
    table.add_row(Text("days", style="dim"), Text(marks, style="bold red"), Text("! abnormal"))
    table.add_row(Text(""), Text(f"{days[0].day} to {days[-1].day}"), Text("· holiday"))
    return table


def _model(analysis: Analysis) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for name, value in model_rows(analysis):
        grid.add_row(Text(name, style="dim"), Text(value))
    return grid


def _rejects(analysis: Analysis) -> RenderableType:
    kinds: Counter[str] = Counter()
    for day in analysis.days:
        kinds.update(day.rejects)
    if not kinds:
        return Text("No command was refused.", style="dim")
    words = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    return Text.assemble((f"{kinds.total():,} refused: ", "bold"), words)


def _clients(analysis: Analysis) -> RenderableType:
    drivers = set(analysis.drivers)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("client", "N_c", "share", "mails", "rejects", "logins failed", "r with N_c", ""):
        table.add_column(name, justify="left" if name in {"client", ""} else "right")
    for client in analysis.clients[:MAX_ROWS]:
        table.add_row(
            Text(visible(client.client)),
            f"{client.connects:,}",
            f"{client.share:.1%}",
            f"{client.accepted:,}",
            f"{sum(client.rejects.values()):,}",
            f"{client.sasl_failures:,}",
            "" if client.correlation is None else f"{client.correlation:+.2f}",
            Text("driver", style="bold red") if client.client in drivers else Text(""),
        )
    return table


def _incident(incident: Incident) -> RenderableType:
    if incident.alarm.alpha is None:
        return Text(f"{incident.alarm.day}: {incident.alarm.because}", style="yellow")
    text = Text(visible(incident_sentence(incident)), style="red")
    effect = effect_sentence(incident)
    if effect is not None:
        shown = ", ".join(incident.drivers[:MAX_ROWS])
        if len(incident.drivers) > MAX_ROWS:
            shown += f" and {len(incident.drivers) - MAX_ROWS:,} more"
        text.append(f"\n  without {visible(shown)}: {effect}", style="default")
    return text


def _change(change: BeforeAfter) -> RenderableType:
    first, *rows = change_table(change)
    table = Table(box=None, pad_edge=False, header_style="dim", title=f"Since {change.since}")
    table.title_justify, table.title_style = "left", "bold"
    for name in first:
        table.add_column(name, justify="left" if name == first[0] else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _mx_askers(analysis: Analysis) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("asks for MX itself", "MX queries", "day", "of its queries"):
        table.add_column(name, justify="left" if name.startswith("asks") else "right")
    for asker in analysis.mx_askers[:MAX_ROWS]:
        table.add_row(
            Text(visible(asker.client)),
            f"{asker.mx_queries:,}",
            asker.day.isoformat(),
            f"{asker.share:.0%}",
        )
    return table


def _reading(analysis: Analysis) -> RenderableType:
    lines = [f"{files_read(analysis.read)}: {lines_read(analysis)}."]
    lines += [f"  {sample.decode('utf-8', 'replace')}" for sample in analysis.unread_samples]
    lines += [unknown] if (unknown := unknown_sentence(analysis)) else []
    if analysis.monitors:
        lines.append(f"Monitors recognised: {', '.join(analysis.monitors[:MAX_ROWS])}.")
    return Text("\n".join(visible(line) for line in lines), style="dim")
