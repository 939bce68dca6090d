"""Reports as one HTML file each: no script, no request, everything from outside escaped."""

from datetime import timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from botprobe import __version__
from botprobe.contract.case import rfc3339
from botprobe.model.text import visible
from botprobe.report.charts import Colours, report_charts
from botprobe.report.sections import headline, sections, whole
from botprobe.report.weekly import Share, WeeklyReport


def template_environment() -> Environment:
    """Return the templates; whatever they are given is made visible and escaped."""
    return Environment(
        loader=PackageLoader("botprobe.report"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def report_page(report: WeeklyReport) -> str:
    """Write a report as a page."""
    return (
        template_environment()
        .get_template("report.html")
        .render(
            report=report,
            since=f"{report.period.first.monday:%A, %d %B %Y}",
            until=f"{report.period.last.monday + timedelta(days=6):%A, %d %B %Y}",
            made=rfc3339(report.made.replace(microsecond=0)),
            headline=headline(report),
            tiles=_tiles(report),
            charts=report_charts(report, Colours.of_page()),
            sections=sections(report),
            version=__version__,
        )
    )


def _shown(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _tiles(report: WeeklyReport) -> list[tuple[str, str]]:
    bots = next((line.hosts for line in report.verdicts if line.name == "bot"), Share(0, 0))
    return [
        (f"{report.mails.mails:,}", f"mails ({report.mails_before.mails:,} before)"),
        (f"{whole(report):,}", "addresses named or asked"),
        (f"{report.told.of:,}", f"investigated ({report.told_before.of:,} before)"),
        (f"{report.told.count:,}", f"systems told, of {report.told.of:,}"),
        (f"{bots.count:,}", f"bots, of {report.told.of:,}"),
        (f"{report.new_bots.hosts.count:,}", f"new bots, of {report.new_bots.hosts.of:,}"),
    ]
