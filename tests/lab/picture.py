"""Draws a scan as a terminal shows it: ``python -m tests.lab.picture FILE.svg``."""

import io
import json
import re
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from botprobe.cli.render import scan_view
from botprobe.config import load_settings
from botprobe.contract.case import case_from_document
from botprobe.intake.message import read_mail
from botprobe.scoping import trust_settings
from tests.lab.runner import ROOT, run_in_lab

SAMPLE = "maildir_samples/new/1795305600.study-provider-mx-as-helo.trap"
# Rich's picture without the fonts that it would fetch from a server.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
CONFIG = "maildir_samples/botprobe.toml"


def main(picture: Path) -> None:
    """Scan the first sample in the laboratory and draw the result."""
    with tempfile.TemporaryDirectory() as folder:
        keep = ("--store", f"{folder}/cases.sqlite", "--log-dir", f"{folder}/hosts")
        done = run_in_lab(
            *("python", "-m", "botprobe", "scan", SAMPLE, "--config", CONFIG, "--json", *keep)
        )
    (mail,) = json.loads(done.stdout)["mails"]
    cases = [case_from_document(document) for document in mail["targets"]]
    settings = trust_settings(load_settings(ROOT / CONFIG, {}, {}))
    console = Console(record=True, width=112, file=io.StringIO(), force_terminal=True)
    data = (ROOT / SAMPLE).read_bytes()
    console.print(scan_view([read_mail(data, "mail.eml", settings)], cases, explain=True))
    title = "botprobe scan --explain mail.eml"
    console.save_svg(str(picture), title=title, code_format=FORMAT)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
