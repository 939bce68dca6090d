"""A PostgreSQL server of a test run's own, in a temporary folder and on a Unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import FrameType

import psycopg
from psycopg.sql import SQL, Identifier

# The server refuses to run as root; the package brings this user.
SERVICE_USER = "postgres"

# Nothing has to survive the machine: what a kill leaves behind does not depend on these.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def program(name: str) -> str:
    """Return the path of a server's program; Debian keeps them out of PATH."""
    found = shutil.which(name)
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if found is None and not newest:
        raise FileNotFoundError(f"{name}: scripts/setup test installs PostgreSQL")
    return found or str(newest[-1])


@dataclass(slots=True)
class Server:
    """A running server."""

    folder: Path
    options: tuple[str, ...]
    port: int = 5432
    before: tuple[str, ...] = ()
    """A program with arguments that starts the server, as its own user and elsewhere."""
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def pid(self) -> int:
        """Number of the first of its processes; 0 if it does not run."""
        return 0 if self._process is None else self._process.pid

    def cpu_seconds(self) -> float:
        """Return the processor time of the server, and of all processes that it ever had."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(_cpu(pid) for pid in (self.pid, *map(int, children)))

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [
            *self.before,
            *("setpriv", "--pdeathsig", "QUIT", "--"),  # even who is killed takes it along
            program("postgres"),
            "-D",
            str(self.folder / "data"),
            "-p",
            str(self.port),
        ]
        for option in (f"unix_socket_directories={self.folder}", *self.options):
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            user = None if self.before else service_user()
            self._process = subprocess.Popen(command, stderr=log, stdout=log, user=user)
        deadline = time.monotonic() + 20
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it at once, as a crash of the machine would."""
        self._end(signal.SIGQUIT)  # without a checkpoint

    def shut_down(self) -> None:
        """End it in order, so that it starts again at once."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(60)
            finally:
                self._process.kill()
                self._process.wait()
                self._process = None

    def url(self, database: str) -> str:
        """Return the connection string of a database."""
        user = SERVICE_USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def tcp_url(self, url: str, address: str) -> str:
        """Return the connection string of the same database at an address."""
        return url.replace(f"host={self.folder}", f"host={address}")

    def new_database(self) -> str:
        """Return the connection string of an empty schema, which is all that a test sees.

        A database of its own for each test would leave three hundred files to be removed.
        """
        name = f"botprobe_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(name)))
        return f"{self.url('postgres')}&options=-csearch_path%3D{name}"


def _cpu(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = sum(map(int, fields[11:15]))  # own time, and that of children that have ended
        return ticks / os.sysconf("SC_CLK_TCK")
    return 0.0


@contextmanager
def server(
    *options: str, durable: bool = False, kept: Path | None = None, start: bool = True
) -> Iterator[Server]:
    """Make a cluster, start its server, and remove both at the end.

    Args:
        options: settings of the server, as ``name=value``.
        durable: write to the disk as the server does when it is shipped.
        kept: folder of a cluster that is used again and stays; its path is short.
        start: start it at once.
    """
    with ends_in_order(), nullcontext(kept) if kept else new_folder() as folder:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "data").exists():
            _make(folder)
        always = ("listen_addresses=", *(() if durable else FAST))
        running = Server(folder, (*always, *options))
        try:
            if start:
                running.start()
            yield running
        finally:
            with _undisturbed():
                running.shut_down() if kept else running.stop()


@contextmanager
def new_folder() -> Iterator[Path]:
    """Make a folder for a server, and remove it at the end."""
    # Not below $TMPDIR: the path of a socket has 107 bytes at most (unix(7)).
    folder = Path(tempfile.mkdtemp(prefix="botprobe-pg-", dir="/tmp"))
    try:
        yield folder
    finally:
        with _undisturbed():
            deadline = time.monotonic() + 5
            # Again: what was killed a moment ago may still be writing.
            while folder.exists() and time.monotonic() < deadline:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ends_in_order() -> Iterator[None]:
    """Have the signals that would end this process do as Ctrl-C does, so that it cleans up."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, _as_ctrl_c)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _as_ctrl_c(_number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)  # asyncio's, while it runs
    (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let the signals that end this process wait."""
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    )
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _make(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, SERVICE_USER, SERVICE_USER)
    folder.chmod(0o755)
    made = subprocess.run(
        [
            *(program("initdb"), "-D", str(folder / "data"), "-A", "trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C"),  # whatever locales the machine has
        ],
        capture_output=True,
        check=False,
        user=service_user(),
    )
    if made.returncode != 0:
        raise RuntimeError(made.stderr.decode())


def service_user() -> str | None:
    """Return whom a server is run as: root may not, anybody else may."""
    return SERVICE_USER if os.geteuid() == 0 else None
