"""A headless Chromium, driven over its debugging pipe: how a page looks, and what it asks for.

The pipe carries JSON messages that end with a zero byte (``--remote-debugging-pipe`` of the Chrome
DevTools Protocol); it needs no port, no driver and no further package.
"""

import base64
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 15
"""Seconds for one answer."""

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at a page showed."""

    overflow: int
    """Pixels by which the page is wider than its window."""
    complaints: tuple[str, ...]
    """Console messages and errors."""
    requests: tuple[str, ...]
    """Addresses that were asked for, the page itself left out."""
    text: str
    picture: bytes
    """PNG of the whole page."""


@dataclass(slots=True)
class Browser:
    """One running Chromium with one open page."""

    into: int
    out: int
    session: str = ""
    number: int = 0
    unread: bytes = b""
    events: list[dict[str, Any]] = field(default_factory=list)

    def look(self, page: Path, width: int, *, dark: bool = False) -> Sight:
        """Open a page at a width in CSS pixels and say what is seen."""
        self.events.clear()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **metrics)
        self.ask("Page.navigate", url=page.as_uri())
        self.wait_for("Page.loadEventFired")
        inner = "document.documentElement.scrollWidth - window.innerWidth"
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        return Sight(
            overflow=self.evaluate(inner),
            text=self.evaluate("document.body.innerText"),
            complaints=tuple(self._complaints()),
            requests=tuple(
                url
                for event in self.events
                if event["method"] == "Network.requestWillBeSent"
                and (url := event["params"]["request"]["url"]) != page.as_uri()
            ),
            picture=base64.b64decode(shot["data"]),
        )

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.ask("Runtime.evaluate", expression=expression)["result"]["value"]

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.into, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait_for(self, method: str) -> None:
        """Read on until an event of this name has come."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.read())

    def read(self) -> dict[str, Any]:
        """Return the next message."""
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.out], [], [], deadline - time.monotonic())
            chunk = os.read(self.out, 1 << 20) if ready else b""
            if not chunk:
                raise RuntimeError("Chromium says nothing")
            self.unread += chunk
        message, _, self.unread = self.unread.partition(b"\0")
        read: dict[str, Any] = json.loads(message)
        return read

    def _complaints(self) -> Iterator[str]:
        for event in self.events:
            if event["method"] in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown"}:
                yield json.dumps(event["params"])
            if event["method"] == "Log.entryAdded":
                yield event["params"]["entry"]["text"]


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Run a Chromium with a fresh profile, and end it."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise FileNotFoundError("no Chromium is installed")
    (theirs_in, ours_in), (ours_out, theirs_out) = os.pipe(), os.pipe()
    quiet = os.open(os.devnull, os.O_RDWR)
    actions = [
        (os.POSIX_SPAWN_DUP2, quiet, 2),
        # By way of high numbers: the ends may themselves be called 3 and 4.
        (os.POSIX_SPAWN_DUP2, theirs_in, 100),
        (os.POSIX_SPAWN_DUP2, theirs_out, 101),
        (os.POSIX_SPAWN_DUP2, 100, 3),
        (os.POSIX_SPAWN_DUP2, 101, 4),
    ]
    arguments = [program, *ARGUMENTS, f"--user-data-dir={profile}", "about:blank"]
    process = os.posix_spawn(
        program, arguments, dict(os.environ), file_actions=actions, setsid=True
    )
    for end in (theirs_in, theirs_out, quiet):
        os.close(end)
    opened = Browser(ours_in, ours_out)
    try:
        target = opened.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = opened.ask("Target.attachToTarget", targetId=target, flatten=True)
        opened.session = attached["sessionId"]
        yield opened
    finally:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(ours_in)
        os.close(ours_out)
