"""The router's table on a terminal, those who only send on top."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from botprobe.cli.reading import files_read
from botprobe.model.text import counted
from botprobe.observers.capture import CaptureNotes
from botprobe.observers.router.credit import CreditRule
from botprobe.observers.router.table import Judgement, Standing, own_ratio

MAX_ROWS = 30

_STYLES = {
    Standing.SUSPECT: "bold red",
    Standing.SHARED: "cyan",
    Standing.MAIL_SERVER: "green",
    Standing.ONE_WAY: "yellow",
    Standing.UNKNOWN: "bright_black",
    Standing.NORMAL: "",
}


class SortBy(StrEnum):
    """The column by which the table is sorted."""

    CREDIT = "credit"
    DESTINATIONS = "destinations"
    CONNECTIONS = "connections"
    ADDRESS = "address"


KEYS = {"c": SortBy.CREDIT, "d": SortBy.DESTINATIONS, "n": SortBy.CONNECTIONS, "a": SortBy.ADDRESS}
"""The keys by which a table that is drawn again and again is sorted anew."""


def sort_table(judged: Sequence[Judgement], by: SortBy) -> list[Judgement]:
    """Return the table with the highest on top, addresses from the lowest."""

    def place(one: Judgement) -> tuple[int, int, int]:
        entry = one.entry
        address = (entry.address.version, int(entry.address))
        match by:
            case SortBy.ADDRESS:
                return (0, *address)
            case SortBy.DESTINATIONS:
                return (-entry.destinations, *address)
            case SortBy.CONNECTIONS:
                return (-entry.sends, *address)
            case _:
                return (-entry.credit, *address)

    return sorted(judged, key=place)


def router_screen(
    judged: Sequence[Judgement], rule: CreditRule, notes: CaptureNotes | None = None
) -> RenderableType:
    """Draw the table, and below it what it comes to.

    Args:
        judged: the table, sorted.
        rule: by which it was judged.
        notes: what was read, if it comes from captures.
    """
    parts: list[RenderableType] = [_table(judged)] if judged else []
    if (hidden := len(judged) - MAX_ROWS) > 0:
        parts.append(Text(f"and {hidden} more: --json shows all", style="dim"))
    parts.append(_summary(judged, rule))
    if notes is not None:
        read = f"{counted(notes.packets, 'packet')} of {files_read(notes)}"
        parts.append(Text(read, style="dim"))
    return Group(*parts)


def keys_line(by: SortBy) -> Text:
    """Say which key sorts by what, the column of now in bold."""
    line = Text.assemble(("sort: ", "dim"))
    for key, column in KEYS.items():
        line.append(f"{key} {column}  ", style="bold" if column is by else "dim")
    return line


def _table(judged: Sequence[Judgement]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("address", overflow="fold")
    for name in ("credit", "sent", "fetched", "one way", "connections", "servers"):
        table.add_column(name, justify="right")
    for name in ("nat", "sprt", "standing"):
        table.add_column(name)
    for one in judged[:MAX_ROWS]:
        entry = one.entry
        numbers = (entry.credit, entry.smtp, entry.mailbox, entry.one_way)
        nat = ("yes" if entry.is_shared else "no") if entry.systems else "?"
        table.add_row(
            str(entry.address),
            *(f"{number:,}" for number in numbers),
            f"{entry.sends:,}/{entry.fetches:,}",
            f"{entry.destinations:,}",
            nat,
            one.test.name.lower(),
            Text(one.standing.value, style=_STYLES[one.standing]),
        )
    return table


def _summary(judged: Sequence[Judgement], rule: CreditRule) -> Text:
    counts = Counter(one.standing for one in judged)
    parts = [
        Text(f"{counts[each]} {each.value}", style=style)
        for each, style in _STYLES.items()
        if counts[each]
    ]
    ratio = own_ratio(one.entry for one in judged)
    asks = "unknown" if ratio is None else f"1:{ratio:.1f}"
    line = Text(f"{counted(len(judged), 'address')}: ") if parts else Text("no mail traffic")
    line.append_text(Text(", ").join(parts))
    return line.append(
        f"; threshold {rule.threshold}, this site sends to fetches {asks}", style="dim"
    )
