"""A report on a terminal: tables with bars."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from botprobe.report.sections import Section, headline, sections
from botprobe.report.weekly import WeeklyReport

BAR_WIDTH = 16


def report_screen(report: WeeklyReport) -> RenderableType:
    """Draw all sections, one below the other."""
    title = f"{report.period}, compared with {report.compared} (ISO 8601 weeks, UTC)"
    return Group(
        Rule(title, style="dim"),
        Text(headline(report), style="bold"),
        *(part for section in sections(report) for part in _section(section)),
    )


def _section(section: Section) -> Iterator[RenderableType]:
    yield Text(f"\n{section.title}", style="bold")
    yield Text(section.note, style="dim")
    bars = any(row.part is not None for row in section.rows)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for position, column in enumerate(section.columns):
        table.add_column(Text(column), justify="left" if position < section.words else "right")
        if bars and position == 0:
            table.add_column("", width=BAR_WIDTH)
    for row in section.rows:
        cells: list[RenderableType] = [Text(cell, overflow="fold") for cell in row.cells]
        if bars:
            cells.insert(1, _bar(row.part))
        table.add_row(*cells)
    yield table


def _bar(part: float | None) -> RenderableType:
    return ProgressBar(total=1, completed=part or 0, width=BAR_WIDTH, finished_style="bar.complete")
