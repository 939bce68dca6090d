"""A report as a mail: plain text, the same as HTML with pictures, and the page attached.

Mail programs show neither SVG nor the style sheets of a page, so the pictures are PNG (if the extra
``pictures`` is installed) and the styles stand at each element.
"""

import asyncio
import io
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

import aiosmtplib
from email_validator import EmailNotValidError, validate_email
from rich.console import Console

from botprobe.errors import ConfigError, DeliveryError, UsageError
from botprobe.report.charts import Chart, Colours, report_charts
from botprobe.report.html import report_page, template_environment
from botprobe.report.sections import headline, sections
from botprobe.report.terminal import report_screen
from botprobe.report.weekly import WeeklyReport

# Wide enough for the tables, narrow enough for a mail program's window.
TEXT_COLUMNS = 110

# Twice the size at which the pictures are shown: screens have dense pixels.
PICTURE_WIDTH = 1280


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mails are handed over."""

    host: str
    port: int = 25
    security: str = "none"
    """``none``, ``starttls`` or ``tls``; the last two insist on a verified certificate."""
    ca_file: str | None = None
    username: str | None = None
    password_file: str | None = None
    timeout: float = 60
    """Seconds for one answer."""


def report_mail(
    report: WeeklyReport, sender: str | None, recipients: Sequence[str]
) -> EmailMessage:
    """Write a report as a mail.

    Raises:
        ConfigError: no sender is set.
        UsageError: an address is none.
    """
    if not sender:
        raise ConfigError("set mail.sender: a report needs one")
    message = EmailMessage()
    message["From"] = _address(sender)
    message["To"] = ", ".join(_address(recipient) for recipient in recipients)
    message["Subject"] = f"botprobe, {report.period}: {headline(report)}"
    message["Date"] = format_datetime(report.made)
    message["Message-ID"] = make_msgid(domain=_address(sender).rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
    message.set_content(_text(report))
    charts = report_charts(report, Colours.printed())
    pictures = {chart.key: picture for chart in charts if (picture := _png(chart)) is not None}
    names = {key: make_msgid(domain="botprobe.invalid") for key in pictures}
    message.add_alternative(_html(report, charts, names), subtype="html")
    for key, picture in pictures.items():
        html = message.get_payload()[1]  # type: ignore[index]  # a list since the alternative
        html.add_related(  # type: ignore[union-attr]
            picture, "image", "png", cid=names[key], filename=f"{key}.png", disposition="inline"
        )
    message.add_attachment(
        report_page(report), subtype="html", filename=f"botprobe-{report.period.last}.html"
    )
    return message


async def send_mail(message: EmailMessage, server: MailServer) -> tuple[str, ...]:
    """Hand a mail to a server and return a line for each recipient that it refused.

    Raises:
        ConfigError: the password or the certificates cannot be read.
        DeliveryError: the server took nothing.
    """
    password = _password(server)
    context = _tls_context(server) if server.security != "none" else None
    try:
        async with _Connection(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=context,
            username=server.username,
            password=password,
            timeout=server.timeout,
        ) as connection:
            refused, _ = await connection.send_message(message)
    except aiosmtplib.SMTPRecipientsRefused as error:
        what = "; ".join(_refusal(each.recipient, each.message) for each in error.recipients)
        raise DeliveryError(f"{server.host}:{server.port} took no mail: {what}") from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        what = _one_line(str(error)) or type(error).__name__
        raise DeliveryError(f"{server.host}:{server.port} took no mail: {what}") from error
    return tuple(_refusal(recipient, reply.message) for recipient, reply in refused.items())


class _Connection(aiosmtplib.SMTP):
    """Ends without waiting for the server to end its half of a TLS session (RFC 8446, section 6.1).

    asyncio waits up to 30 s for that; an event loop that ends before leaves the socket open.
    """

    def close(self) -> None:
        transport = self.transport
        super().close()  # ends our half
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


def _refusal(recipient: str, words: str) -> str:
    return f"{recipient} refused: {_one_line(words)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _address(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise UsageError(f"not a mail address: {text!r}") from error


def _text(report: WeeklyReport) -> str:
    text = io.StringIO()
    console = Console(
        file=text, width=TEXT_COLUMNS, color_system=None, highlight=False, markup=False, emoji=False
    )
    console.print(report_screen(report))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _html(report: WeeklyReport, charts: Sequence[Chart], names: dict[str, str]) -> str:
    return (
        template_environment()
        .get_template("mail.html")
        .render(
            report=report,
            headline=headline(report),
            charts=charts,
            pictures={key: name.strip("<>") for key, name in names.items()},
            sections=sections(report),
        )
    )


def _png(chart: Chart) -> bytes | None:
    """Paint a picture, or nothing where the painter is not installed."""
    try:
        import resvg_py  # noqa: PLC0415  # an extra that most installations do without
    except ImportError:
        return None
    return bytes(
        resvg_py.svg_to_bytes(svg_string=chart.svg, width=PICTURE_WIDTH, background="#ffffff")
    )


def _password(server: MailServer) -> str | None:
    if server.password_file is None:
        return None
    try:
        return Path(server.password_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"mail.password_file: cannot read {server.password_file}") from error


def _tls_context(server: MailServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=server.ca_file)
    except OSError as error:
        raise ConfigError(f"mail.ca_file: cannot read {server.ca_file}") from error
