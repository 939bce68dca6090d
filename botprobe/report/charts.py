"""The pictures of a report, drawn by pygal as SVG without scripts.

Colours are CSS variables of the page, so that a picture follows its light or dark theme; a mail
program knows neither, so ``Colours.printed`` has fixed ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import pygal
from pygal.style import Style

from botprobe.model.text import counted
from botprobe.model.verdict import Label
from botprobe.report.systems import SystemClass
from botprobe.report.weekly import Line, TrendWeek, WeeklyReport

# Small enough that letters stay readable where a phone shrinks the picture to its width.
WIDTH, HEIGHT = 520, 300

# Every week of a year has its bar, but not its name.
MAX_NAMED_WEEKS = 8

# Light and dark need their own tones; these are the light ones of `page.css`.
_PRINTED = ("#c0392b", "#e67e22", "#f1c40f", "#8e44ad", "#b07cc6", "#2471a3", "#7f8c8d", "#bdc3c7")
_ORDER = {name: number for number, name in enumerate(SystemClass)}
_LABEL_COLOURS = {
    Label.BOT: 0,
    Label.SUSPECTED_BOT: 1,
    Label.OPEN_PROXY: 3,
    Label.MAIL_SERVER: 5,
    Label.OTHER_SERVER: 4,
    Label.NAT_OR_SHARED: 2,
    Label.UNKNOWN: 6,
    Label.UNREACHABLE: 7,
    Label.NOT_PROBED: 7,
}


@dataclass(frozen=True, slots=True)
class Colours:
    """Where a picture takes its colours from."""

    ink: str
    line: str
    series: tuple[str, ...]

    @classmethod
    def of_page(cls) -> Self:
        """Follow the theme of the page around the picture."""
        series = tuple(f"var(--c{number})" for number in range(len(_PRINTED)))
        return cls("var(--ink)", "var(--line)", series)

    @classmethod
    def printed(cls) -> Self:
        """Stand alone on white."""
        return cls("#222222", "#cccccc", _PRINTED)


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture."""

    key: str
    title: str
    text: str
    """What it shows, for those who cannot see it."""
    svg: str
    legend: tuple[tuple[str, str], ...] = ()
    """Names and colours of the series, for the page to write below."""


class _Caption(NamedTuple):
    key: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class _Series:
    name: str
    colour: int
    values: Sequence[int]


def report_charts(report: WeeklyReport, colours: Colours) -> tuple[Chart, ...]:
    """Draw the pictures of a report; what has no numbers has no picture."""
    drawn = (
        _systems(report, colours),
        _system_trend(report.trend, colours),
        _verdict_trend(report.trend, colours),
        _delay(report, colours),
    )
    return tuple(chart for chart in drawn if chart is not None)


def _systems(report: WeeklyReport, colours: Colours) -> Chart | None:
    if not report.systems:
        return None
    names = [str(report.compared), str(report.period)]
    told = [report.told_before, report.told]
    series = [
        _Series(line.name, _ORDER[SystemClass(line.name)], (line.before.count, line.hosts.count))
        for line in report.systems
    ]
    text = "; ".join(
        f"{name}: {share.count:,} of {counted(share.of, 'host')} told"
        + _parts(report.systems, index)
        for index, (name, share) in enumerate(zip(names, told, strict=True))
    )
    return _stacked(_Caption("chart-systems", "Operating systems", text), names, series, colours)


def _parts(lines: Sequence[Line], index: int) -> str:
    shares = [(line.name, (line.before, line.hosts)[index].count) for line in lines]
    return "".join(f", {name} {count:,}" for name, count in shares if count)


def _system_trend(trend: Sequence[TrendWeek], colours: Colours) -> Chart | None:
    series = [
        _Series(name, _ORDER[name], [dict(week.systems)[name] for week in trend])
        for name in SystemClass
    ]
    text = "Hosts by system: " + "; ".join(
        f"{week.week} " + ", ".join(f"{name} {hosts:,}" for name, hosts in week.systems if hosts)
        for week in trend
    )
    return _trend(_Caption("chart-system-trend", "Systems by week", text), trend, series, colours)


def _verdict_trend(trend: Sequence[TrendWeek], colours: Colours) -> Chart | None:
    series = [
        _Series(str(label), colour, [dict(week.verdicts)[label] for week in trend])
        for label, colour in _LABEL_COLOURS.items()
    ]
    text = "Bots: " + ", ".join(f"{week.week} {dict(week.verdicts)[Label.BOT]:,}" for week in trend)
    return _trend(_Caption("chart-verdict-trend", "Verdicts by week", text), trend, series, colours)


def _trend(
    caption: _Caption, trend: Sequence[TrendWeek], series: list[_Series], colours: Colours
) -> Chart | None:
    drawn = [one for one in series if any(one.values)]
    if len(trend) < 2 or not drawn:
        return None
    every = -(-len(trend) // MAX_NAMED_WEEKS)
    # From the newest backwards: the week that the report is about has its name.
    names = [
        str(week.week)[5:] if (len(trend) - 1 - place) % every == 0 else ""
        for place, week in enumerate(trend)
    ]
    return _stacked(caption, names, drawn, colours)


def _delay(report: WeeklyReport, colours: Colours) -> Chart | None:
    histogram = report.delay.histogram
    if not report.delay.hosts.count:
        return None
    chart = _chart(pygal.Bar, "chart-delay", colours, print_values=True)
    chart.x_labels = [_short(name) for name, _ in histogram]
    chart.add("hosts", [hosts for _, hosts in histogram])
    text = ", ".join(f"{name}: {hosts:,}" for name, hosts in histogram if hosts)
    title = "From delivery to probe"
    return Chart("chart-delay", f"{title}, below", f"Hosts by delay: {text}.", _svg(chart))


def _short(bound: str) -> str:
    """Write a bound so that seven of them fit side by side."""
    if bound.endswith("or more"):
        return "more"
    number, unit = bound.removeprefix("below ").split()
    return f"{number} {unit[:3] if unit.startswith('min') else unit[0]}"


def _stacked(caption: _Caption, names: list[str], series: list[_Series], colours: Colours) -> Chart:
    chosen = tuple(colours.series[one.colour] for one in series)
    own = Colours(colours.ink, colours.line, chosen)
    chart = _chart(pygal.StackedBar, caption.key, own, print_values=len(names) <= 2)
    chart.x_labels = names
    for one in series:
        chart.add(one.name, list(one.values))
    legend = tuple((one.name, colour) for one, colour in zip(series, chosen, strict=True))
    return Chart(caption.key, caption.title, caption.text, _svg(chart), legend)


def _chart(kind: type[pygal.Graph], key: str, colours: Colours, **options: bool) -> pygal.Graph:
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=colours.ink,
        foreground_strong=colours.ink,
        foreground_subtle=colours.line,
        guide_stroke_color=colours.line,
        major_guide_stroke_color=colours.line,
        colors=colours.series,
        font_family="system-ui, DejaVu Sans, sans-serif",
        label_font_size=16,
        major_label_font_size=16,
        value_font_size=14,
        opacity="1",
        opacity_hover="1",
        transition="0s",
    )
    chart = kind(
        style=style,
        js=[],  # the default would load a script from pygal's own site
        width=WIDTH,
        height=HEIGHT,
        margin=4,
        spacing=6,
        show_legend=False,  # the page writes it, in letters that no phone shrinks
        truncate_label=-1,
        print_zeroes=False,
        max_scale=6,
        formatter=lambda value: f"{value:,.0f}",
        disable_xml_declaration=True,
        **options,
    )
    chart.add_xml_filter(_without_scripts)
    chart.uuid = key  # its default is random, and no two runs would write the same page
    return chart


def _without_scripts(root: Any) -> Any:
    """Take out the settings that pygal writes for its own script, which no page here has."""
    for parent in list(root.iter()):
        for script in parent.findall("script"):
            parent.remove(script)
    return root


def _svg(chart: pygal.Graph) -> str:
    drawn: str = chart.render(is_unicode=True)
    return drawn
