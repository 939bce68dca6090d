"""The history of one address on a screen."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from botprobe.contract.history import Event
from botprobe.model.text import visible

_STYLES = {"mails": "cyan", "probed": "bold", "refused": "yellow", "planned": "dim"}
_STYLES |= {"observed": "magenta", "suspected": "red"}


def timeline_table(events: Iterable[Event]) -> RenderableType:
    """Draw one line per event, and one for each thing that changed."""
    table = Table.grid(padding=(0, 2))
    for event in events:
        at = f"{event.at:%Y-%m-%d %H:%M:%S}Z" if event.at else "unknown"
        says = Text(visible(event.says), overflow="fold")
        table.add_row(Text(at, style="dim"), Text(event.kind, style=_STYLES[event.kind]), says)
        for change in event.changed:
            line = Text(f"changed: {visible(change)}", style="magenta", overflow="fold")
            table.add_row(Text(), Text(), line)
    return table
