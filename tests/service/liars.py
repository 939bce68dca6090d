"""All liars of the laboratory at once, and what a watch makes of them; prints JSON.

``population`` writes who they are; the rest runs inside.
"""

import csv
import io
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lab import namespace
from tests.service.bench_watch import SETTINGS, Box
from tests.service.labwatch import stop_at_once, wait_until

SERVICES = (
    *("smtp-hostile", "smtp-endless", "smtp-tarpit", "smtp-drop", "smtp-reset", "smtp-busy"),
    *("smtp-refuse", "garbage", "silent"),
)
NAMES = (
    "=cmd|' /C calc'!A0.liar.example",
    "\x1b]0;owned\x07\x1b[2J.liar.example",
    "<script>alert(1)</script>.liar.example",
    "moc\u202e.liar.example",
)
HONEST = "198.18.71.1"
HOSTS = {f"198.18.70.{number}": service for number, service in enumerate(SERVICES, 1)}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
# Rounds of new mails and looks; the memory of the last is compared with that of the first.
ROUNDS = 3
MEGABYTE = 2**20


def population() -> str:
    """Write the liars, an honest server and the canary."""
    hosts = [("canary", "198.18.4.26", "smtp", "mx.canary.example")]
    hosts.append(("honest", HONEST, "smtp", "mx.honest.example"))
    hosts += [
        (service, ip, service, NAMES[number % len(NAMES)])
        for number, (ip, service) in enumerate(HOSTS.items())
    ]
    tables = [
        f"[[host]]\nname = {json.dumps(name)}\naddress = '{ip}'\npersona = ['Linux 2.6.18']\n"
        f"ping = true\nopen = [25]\nptr = {json.dumps(ptr)}\nservices = {{ 25 = '{service}' }}\n"
        for name, ip, service, ptr in hosts
    ]
    return "[lab]\ncanaries = ['198.18.4.26']\n" + "\n".join(tables)


def resident(process: subprocess.Popen[bytes]) -> int:
    """Return the memory of a process, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    match = re.search(r"VmRSS:\s+([0-9]+) kB", status)
    assert match is not None
    return int(match[1]) * 1024


def output(*arguments: str) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "botprobe", *arguments], capture_output=True, check=True
    )
    return done.stdout.decode()


def run(folder: Path) -> dict[str, object]:
    """Let the watch ask all liars, again and again, and read what it kept."""
    settings, store = folder / "botprobe.toml", folder / "cases.sqlite"
    text = SETTINGS.replace("[scope]", "[scope]\ncooldown_hours = 0")
    settings.write_text(text.replace("[smtp]", "[smtp]\nsession_timeout = 6"))
    options = ["-c", str(settings), "--store", str(store)]
    box, logs, events = Box(folder / "box"), folder / "hosts", folder / "events"
    hosts = (*HOSTS, HONEST)
    command = [sys.executable, "-m", "botprobe", "watch", str(box.path), "--jsonl", *options]
    with events.open("wb") as told:
        watch = subprocess.Popen([*command, "--log-dir", str(logs)], stdout=told)
    sizes = []
    for turn in range(1, ROUNDS + 1):
        for ip in hosts:
            box.deliver(box.prepare(ip))
        wanted = turn * len(hosts)
        done = wait_until(lambda wanted=wanted: len(list(logs.glob("*/*.log"))) >= wanted, 60)  # type: ignore[misc]  # a bound default
        sizes.append(resident(watch) // MEGABYTE)
    alive = watch.poll() is None
    stop_at_once(watch)
    texts = {path.name: path.read_text() for path in logs.glob("*/*.log")}
    page = folder / "host.html"
    shown = {}
    for ip in hosts:
        shown[ip] = output("host", ip, *options, "--html", str(page))
        json.loads(output("host", ip, "--json", *options))
        texts[f"{ip}.html"] = page.read_text()
    table = output("export", "csv", "--label", "other-server", "--label", "mail-server", *options)
    cells = [cell for row in csv.reader(io.StringIO(table)) for cell in row]
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    return {
        "all looked at": done,
        "alive": alive,
        "megabytes": sizes,
        "with control characters": [
            name
            for name, text in (texts | shown).items()
            if CONTROL.search(text.replace("\x1b[0m", ""))
        ],
        "with scripts": [name for name, text in texts.items() if "<script>alert" in text
                         and name.endswith(".html")],
        "formulas": [cell for cell in cells if cell.startswith(("=", "@", "\t"))],
        "labels": {
            one["case"]["ip"]: one["case"]["verdict"]["label"]
            for one in lines
            if one["event"] == "case"
        },
    }  # fmt: skip


def main() -> None:
    """Run in the laboratory only."""
    namespace.require_lab()
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(run(Path(name)), indent=1))


if __name__ == "__main__":
    main()
