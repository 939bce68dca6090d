"""A mail log's analysis as one page: no script, no request, everything from outside escaped."""

from collections.abc import Sequence
from typing import Any

import pygal
from pygal.style import Style

from botprobe import __version__
from botprobe.cli.maillog_document import maillog_document
from botprobe.cli.reading import files_read, lines_read
from botprobe.observers.maillog.analysis import Analysis
from botprobe.observers.maillog.figures import Figures
from botprobe.observers.maillog.wording import (
    change_table,
    effect_sentence,
    model_rows,
    unknown_sentence,
    verdict,
)
from botprobe.report.charts import HEIGHT, WIDTH, Chart, Colours
from botprobe.report.html import template_environment

MAX_POINTS = 1_000
USUAL, ABNORMAL, HOLIDAY = 5, 0, 6

Point = tuple[float, float]


def maillog_page(analysis: Analysis, access: str | None = None) -> str:
    """Write the analysis as a page.

    Args:
        analysis: what the logs say.
        access: the access map against the drivers, if there are any.
    """
    return (
        template_environment()
        .get_template("maillog.html")
        .render(
            verdict=verdict(analysis),
            document=maillog_document(analysis),
            incidents=[(one, effect_sentence(one)) for one in analysis.incidents],
            model=model_rows(analysis),
            change=analysis.change,
            changes=[] if analysis.change is None else change_table(analysis.change),
            access=[] if access is None else access.expandtabs().splitlines(),
            charts=maillog_charts(analysis, Colours.of_page()),
            read=f"{files_read(analysis.read)}: {lines_read(analysis)}",
            unknown=unknown_sentence(analysis),
            version=__version__,
        )
    )


def maillog_charts(analysis: Analysis, colours: Colours) -> tuple[Chart, ...]:
    """Draw the pictures; what was not measured has none."""
    charts = (
        _traffic(analysis, colours),
        _alpha(analysis, colours),
        _queries(analysis, colours),
        _driver(analysis, colours),
    )
    return tuple(chart for chart in charts if chart is not None)


def _traffic(analysis: Analysis, colours: Colours) -> Chart | None:
    days = analysis.days[-MAX_POINTS:]
    if len(days) < 2:
        return None
    # An abnormal day has a hundred times the connections of others: a linear axis shows it alone.
    picture = pygal.Line(
        **_style(colours, (USUAL, 4, 1)), show_dots=False, logarithmic=True, truncate_label=-1
    )
    picture.x_labels = [day.day.isoformat() for day in days]
    picture.x_labels_major_count = 4
    picture.show_minor_x_labels = False
    picture.add("N_c", [day.connects or None for day in days])
    picture.add("N_f", [day.mails or None for day in days])
    if any(day.queries for day in days):
        picture.add("D_q", [day.queries or None for day in days])
    top = max(days, key=lambda day: day.connects)
    most = max(max(day.connects, day.mails, day.queries or 0) for day in days)
    picture.y_labels = [10**power for power in range(len(str(most)) + 1)]
    text = f"Most connections: {top.connects:,} on {top.day}."
    return _chart("chart-traffic", "Connections, mails and DNS queries by day", text, picture)


def _alpha(analysis: Analysis, colours: Colours) -> Chart | None:
    days = [day for day in analysis.days[-MAX_POINTS:] if day.alpha is not None]
    if len(days) < 2:
        return None
    alarmed = {one.alarm.day for one in analysis.incidents if one.alarm.alpha is not None}
    picture = pygal.DateLine(
        **_style(colours, (USUAL, HOLIDAY, ABNORMAL)),
        stroke=False,
        dots_size=3,
        x_label_rotation=20,
        range=(0, max(day.alpha or 0 for day in days)),
    )
    for name, chosen in (
        ("working day", [d for d in days if not d.holiday and d.day not in alarmed]),
        ("holiday", [d for d in days if d.holiday and d.day not in alarmed]),
        ("abnormal", [d for d in days if d.day in alarmed]),
    ):
        if chosen:
            picture.add(name, [(day.day, day.alpha) for day in chosen])
    marked = ", ".join(f"{d.day} ({d.alpha:.2f})" for d in days if d.day in alarmed) or "none"
    return _chart("chart-alpha", "alpha = N_f / N_c by day", f"Abnormal days: {marked}.", picture)


def _queries(analysis: Analysis, colours: Colours) -> Chart | None:
    days = [day for day in analysis.days[-MAX_POINTS:] if day.queries]
    line = analysis.model.dns
    if line is None:
        return None
    points = [(float(day.connects), float((day.queries or 0) - day.logins)) for day in days]
    text = (
        f"D_q - N_p = {line.slope:.2f} N_c {line.intercept:+.0f} "
        f"(95 % interval of the slope: {line.low:.2f} to {line.high:.2f})."
    )
    ends = (min(x for x, _ in points), max(x for x, _ in points))
    fit = [(x, line.at(x)) for x in ends]
    picture = _scatter(points, "days", ("N_c", "D_q - N_p"), colours)
    picture.add("fit", fit, stroke=True, show_dots=False)
    return _chart("chart-queries", "DNS queries over connections", text, picture)


def _driver(analysis: Analysis, colours: Colours) -> Chart | None:
    worst = next((c for c in analysis.clients if c.client in analysis.drivers), None)
    if worst is None:
        return None
    points = _driver_points(analysis.days, worst.series)
    r = "not defined" if worst.correlation is None else f"{worst.correlation:.2f}"
    text = f"Client {worst.client} made {worst.share:.1%} of all connections; correlation {r}."
    picture = _scatter(points, "days", ("N_c(A)", "N_c"), colours)
    return _chart("chart-driver", f"N_c over N_c(A), A = {worst.client}", text, picture)


def _driver_points(days: Sequence[Figures], series: Sequence[int]) -> list[Point]:
    pairs = zip(series, days, strict=True)
    return [(float(own), float(day.connects)) for own, day in pairs][-MAX_POINTS:]


def _scatter(
    points: Sequence[Point], name: str, axes: tuple[str, str], colours: Colours
) -> pygal.XY:
    picture = pygal.XY(
        **_style(colours, (USUAL, ABNORMAL)),
        stroke=False,
        dots_size=3,
        x_title=axes[0],
        y_title=axes[1],
    )
    picture.add(name, list(points))
    return picture


def _style(colours: Colours, series: Sequence[int]) -> dict[str, object]:
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=colours.ink,
        foreground_strong=colours.ink,
        foreground_subtle=colours.line,
        guide_stroke_color=colours.line,
        major_guide_stroke_color=colours.line,
        colors=tuple(colours.series[number] for number in series),
        font_family="inherit",
    )
    return {
        "style": style,
        "width": WIDTH,
        "height": HEIGHT,
        "js": [],  # the default would load a script from pygal's own site
        "show_legend": True,
        "legend_at_bottom": True,
        "value_formatter": lambda value: f"{value:,.10g}",
        "disable_xml_declaration": True,
    }


def _chart(key: str, title: str, text: str, picture: pygal.Graph) -> Chart:
    picture.uuid = key  # its default is random, and no two runs would write the same page
    picture.add_xml_filter(_without_scripts)
    return Chart(key=key, title=title, text=text, svg=picture.render(is_unicode=True))


def _without_scripts(root: Any) -> Any:
    """Take out the settings that pygal writes for its own script, which no page here has."""
    for parent in list(root.iter()):
        for script in parent.findall("script"):
            parent.remove(script)
    return root
