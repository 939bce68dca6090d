"""A driver of a mail server's load, from its log to its verdict, in the laboratory; prints JSON."""

import json
import signal
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

from tests.lab import namespace
from tests.observers.maillog.synthetic import Day, Visit, postfix_lines
from tests.service.labwatch import events, start, wait_until
from tests.test_samples import CONFIG

DRIVER = "198.18.10.1"
"""A Windows XP of the laboratory's population."""
FIRST = date(2026, 9, 7)


def write_log(path: Path) -> None:
    """Write four weeks of a usual server and a day with a driver."""
    usual = tuple(Visit(client=f"203.0.113.{n}", accepted=5, idle=2) for n in range(1, 21))
    days = [Day(FIRST + timedelta(days=n), usual) for n in range(28)]
    days.append(Day(FIRST + timedelta(days=28), (*usual, Visit(client=DRIVER, refused=500))))
    path.write_text("".join(postfix_lines(days)), "ascii")


def botprobe(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "botprobe", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def main() -> None:
    """Read the log, let a watch probe whom it suspects, and show what is known then."""
    namespace.require_lab()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("tmp", "new", "cur"):
            (folder / "box" / part).mkdir(parents=True)
        write_log(folder / "mail.log")
        said = ("--config", CONFIG, "--store", folder / "cases.sqlite")
        read = botprobe("maillog", folder / "mail.log", "--year", "2026", "--investigate", *said)
        watch = start(folder)
        wait_until(lambda: bool(events(folder, "case")), 60)
        watch.send_signal(signal.SIGTERM)
        watch.wait(40)
        host = botprobe("host", DRIVER, "--json", *said)
        botprobe("host", DRIVER, "--html", folder / "page.html", *said)
        seen = {
            "told": read.stderr,
            "probed": [case["case"]["ip"] for case in events(folder, "case")],  # type: ignore[index]  # as written
            "host": json.loads(host.stdout),
            "page": (folder / "page.html").read_text(),
        }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
