"""Three short lives of a real watch, inside the laboratory; prints what was seen as JSON."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.lab import namespace
from tests.test_samples import CONFIG, SAMPLES


def programs() -> list[str]:
    """Return the names of all processes in the laboratory that have not ended."""
    names = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                _, _, rest = (entry / "stat").read_text().partition("(")
                name, _, state = rest.rpartition(") ")
                if not state.startswith("Z"):  # of a dead parent's children nobody takes notice
                    names.append(name)
            except OSError:
                continue  # it has just ended
    return names


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds; say if it came to hold in time."""
    deadline = time.monotonic() + seconds
    while not (held := done()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def deliver(box: Path, names: list[str]) -> None:
    """Deliver samples as a mail server does."""
    for name in names:
        (box / "tmp" / name).write_bytes((SAMPLES / "new" / name).read_bytes())
        (box / "tmp" / name).rename(box / "new" / name)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start a watch that writes its events to a file."""
    command = [sys.executable, "-m", "botprobe", "watch", str(folder / "box"), "--jsonl"]
    options = ["--config", str(CONFIG), "--store", str(folder / "cases.sqlite")]
    with (folder / "events").open("ab") as events:
        return subprocess.Popen(
            [*command, *options, "--log-dir", str(folder / "hosts")], stdout=events
        )


def stop_at_once(process: subprocess.Popen[bytes]) -> None:
    """Send SIGINT until the process ends: two that come at the same time are one to the kernel."""
    for _ in range(50):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
            return
    process.kill()
    process.wait()


def events(folder: Path, kind: str) -> list[dict[str, object]]:
    """Return the events of a kind that were written so far."""
    lines = (folder / "events").read_text().splitlines(keepends=True)
    documents = [json.loads(line) for line in lines if line.endswith("\n")]
    return [document for document in documents if document["event"] == kind]


def main() -> None:
    """Stop a watch at once while nmap runs, kill one; let their successor finish what was begun."""
    namespace.require_lab()
    seen: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("tmp", "new", "cur"):
            (folder / "box" / part).mkdir(parents=True)
        samples = sorted(path.name for path in (SAMPLES / "new").iterdir())[:3]
        deliver(folder / "box", samples)
        first = start(folder)
        seen["nmap ran"] = wait_until(lambda: "nmap" in programs(), 30)
        clock = time.monotonic()
        stop_at_once(first)
        seen["seconds to stop"] = time.monotonic() - clock
        seen["exit when stopped at once"] = first.returncode
        seen["nmap left"] = "nmap" in programs()
        killed = start(folder)
        seen["nmap ran again"] = wait_until(lambda: "nmap" in programs(), 30)
        killed.kill()
        seen["nmap outlived a kill"] = not wait_until(lambda: "nmap" not in programs(), 1)
        killed.wait()
        second = start(folder)
        wait_until(lambda: len(events(folder, "case")) >= 4, 60)
        second.send_signal(signal.SIGTERM)
        seen["exit"] = second.wait(40)
        seen["mails"] = len(events(folder, "mail"))
        seen["cases"] = {
            case["case"]["ip"]: case["case"]["verdict"]["label"]  # type: ignore[index]  # as written
            for case in events(folder, "case")
        }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
