"""Where the result of ``botprobe maillog`` goes: screen or JSON, page, metrics, access map."""

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from botprobe.cli.maillog_document import incident_document, maillog_document
from botprobe.cli.maillog_html import maillog_page
from botprobe.cli.maillog_metrics import metrics_text
from botprobe.cli.maillog_screen import maillog_screen
from botprobe.cli.render import print_json, print_json_lines, stdout_console
from botprobe.contract.case import rfc3339
from botprobe.model.text import visible
from botprobe.observers.maillog.analysis import Analysis, Incident
from botprobe.observers.maillog.effect import Action, access_map
from botprobe.observers.maillog.wording import incident_sentence
from botprobe.report.files import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What the operator asked for."""

    as_json: bool = False
    html: Path | None = None
    textfile: Path | None = None
    map: Path | None = None
    """The access map."""
    action: Action = Action.REJECT

    def write(self, analysis: Analysis) -> None:
        """Write all that was asked for."""
        self.refresh(analysis)
        if self.as_json:
            print_json(maillog_document(analysis))
        else:
            stdout_console().print(maillog_screen(analysis))

    def tell(self, incident: Incident) -> None:
        """Write a live alarm as one line to standard output."""
        now = datetime.now().astimezone().replace(microsecond=0)
        if self.as_json:
            head = {"schema": "botprobe/maillog-alarm/1", "at": rfc3339(now)}
            print_json_lines([head | incident_document(incident)])
        else:
            alarm = incident.alarm
            text = (
                f"{alarm.day}: {alarm.because}"
                if alarm.alpha is None
                else incident_sentence(incident)
            )
            print(f"{now:%Y-%m-%dT%H:%M:%S%z} {alarm.kind}: {visible(text)}")
        sys.stdout.flush()

    def refresh(self, analysis: Analysis) -> None:
        """Write the files only, each whole."""
        if self.html is not None:
            access = driver_map(analysis, self.action) if analysis.drivers else None
            write_whole(self.html, maillog_page(analysis, access))
        if self.textfile is not None:
            write_whole(self.textfile, metrics_text(analysis))
        if self.map is not None:
            write_whole(self.map, driver_map(analysis, self.action))


def driver_map(analysis: Analysis, action: Action) -> str:
    """Write the access map of the drivers."""
    known = {client.client: client.address for client in analysis.clients}
    drivers = [str(known[name]) for name in analysis.drivers if known.get(name) is not None]
    return access_map(drivers, action, "drives the abnormal load of this server")
