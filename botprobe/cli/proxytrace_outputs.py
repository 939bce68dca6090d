"""Where the result of ``botprobe proxytrace`` goes: screen or JSON, and a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from botprobe.cli.proxytrace_document import capture_document, log_document
from botprobe.cli.proxytrace_html import proxytrace_page
from botprobe.cli.proxytrace_screen import capture_screen, log_screen
from botprobe.cli.render import print_json, stdout_console
from botprobe.observers.capture import CaptureNotes
from botprobe.observers.proxytrace.advice import advice
from botprobe.observers.proxytrace.proxylogs import LogTracing
from botprobe.observers.proxytrace.trace import Tracing
from botprobe.observers.proxytrace.wording import log_verdict, verdict
from botprobe.observers.reading import ReadNotes
from botprobe.report.files import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What the operator asked for."""

    as_json: bool = False
    html: Path | None = None
    inside: Sequence[str] = ()
    """Networks of rightful users."""

    def write_captures(self, tracing: Tracing, notes: CaptureNotes) -> None:
        """Write what captures told."""
        origins = [one.address for one in tracing.origins]
        proxies = [one.address for one in tracing.proxies]
        to_do = advice(proxies, origins, self.inside) if origins else ()
        document = capture_document(tracing, notes, to_do)
        if self.html is not None:
            write_whole(self.html, proxytrace_page(verdict(tracing), document, tracing))
        if self.as_json:
            print_json(document)
        else:
            stdout_console().print(capture_screen(tracing, notes, to_do))

    def write_logs(self, tracing: LogTracing, notes: ReadNotes) -> None:
        """Write what a proxy's logs told."""
        origins = [one.address for one in tracing.origins]
        to_do = advice((), origins, self.inside) if origins else ()
        document = log_document(tracing, notes, to_do)
        if self.html is not None:
            write_whole(self.html, proxytrace_page(log_verdict(tracing), document, None))
        if self.as_json:
            print_json(document)
        else:
            stdout_console().print(log_screen(tracing, notes, to_do))
