"""One run of ``botprobe maillog``: what is read, by whom it is counted, where the result goes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from botprobe.cli.dossier import keep
from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.maillog_follow import Watch, must_grow, split, stop_on_signals, tell_start
from botprobe.cli.maillog_outputs import Outputs
from botprobe.cli.reading import tell_unread
from botprobe.cli.stderr import complain
from botprobe.errors import BotprobeError
from botprobe.model.mail import IpAddress
from botprobe.observers.maillog.analysis import Analysis, Choices, analyse
from botprobe.observers.maillog.dnscapture import is_capture
from botprobe.observers.maillog.dnslog import scan_dns_log
from botprobe.observers.maillog.dnstally import DnsTally, read_dns_logs
from botprobe.observers.maillog.dossier import observations, suspects
from botprobe.observers.maillog.files import is_plain, reference_day
from botprobe.observers.maillog.follow import Growing, follower, rounds
from botprobe.observers.maillog.reader import ReadOptions, count_chunk, read_logs
from botprobe.observers.maillog.scanner import LogScanner
from botprobe.observers.maillog.stamps import YearClock
from botprobe.observers.maillog.tally import LogTally
from botprobe.observers.reading import ReadNotes
from botprobe.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """What is read."""

    mail: Sequence[Path]
    pop: Sequence[Path] = ()
    dns: Sequence[Path] = ()
    mail_hosts: frozenset[IpAddress] = frozenset()
    """The mail server's addresses in the DNS logs; without any, every query is its own."""


@dataclass(slots=True, kw_only=True)
class Dossiers:
    """Writes what was seen into the store, if asked to, and hands each suspect over once."""

    settings: Settings | None
    """None if nothing is to be kept."""
    investigate: bool = False
    _handed: set[IpAddress] = field(default_factory=set)

    def write(self, tally: LogTally, found: Analysis, options: ReadOptions) -> None:
        """Keep what the log knows, and make the new suspects due."""
        if self.settings is None:
            return
        wanted = suspects(found) if self.investigate else {}
        new = {address: why for address, why in wanted.items() if address not in self._handed}
        keep(self.settings, observations(tally, found, options.zone), new)
        self._handed |= new.keys()

    def write_new(self, tally: LogTally, found: Analysis, options: ReadOptions) -> None:
        """Do so only if somebody is suspected who was not before."""
        if self.investigate and suspects(found).keys() - self._handed:
            self.write(tally, found, options)


@dataclass(kw_only=True)
class Run:
    """Reads logs and writes what they say."""

    logs: Logs
    options: ReadOptions
    choices: Choices
    outputs: Outputs
    dossiers: Dossiers
    tally: LogTally = field(default_factory=LogTally)
    notes: ReadNotes = field(default_factory=ReadNotes)

    @cached_property
    def queries(self) -> DnsTally | None:
        """Who counts the queries; None without a DNS log."""
        if not self.logs.dns:
            return None
        if not self.logs.mail_hosts:
            complain(
                "without --mail-host every query counts as the mail server's, and nobody is "
                "suspected for asking for MX records"
            )
        return DnsTally(self.logs.mail_hosts)

    def once(self) -> ExitCode:
        """Read all there is.

        Raises:
            BotprobeError: no log can be read, or a result cannot be written.
        """
        self.notes.add(self._read([*self.logs.mail, *self.logs.pop], self.logs.dns))
        code = tell_unread(self.notes, "log")
        self._finish()
        return code

    def follow(self) -> ExitCode:
        """Read all there is and what comes, until told to stop.

        Raises:
            BotprobeError: no log can be read or followed, or a result cannot be written.
        """
        mail, pop = split(self.logs.mail, self.notes), split(self.logs.pop, self.notes)
        dns = split(self.logs.dns, self.notes, lambda path: is_plain(path) and not is_capture(path))
        code = tell_unread(self.notes, "log")
        followed = [path for path in (must_grow(mail), pop.growing, dns.growing) if path]
        growing = [self._growing(must_grow(mail))]
        growing += [self._growing(path) for path in (pop.growing,) if path]
        growing += [self._growing_dns(path) for path in (dns.growing,) if path]
        with stop_on_signals() as stopped:
            tell_start(followed)
            read = self._read([*mail.earlier, *pop.earlier], dns.earlier)
            self.notes.add(replace(read, files=0))  # counted when they were split
            code = tell_unread(replace(read, files=self.notes.files), "log") or code
            watch = Watch(self._judge, self._refresh, self.outputs.tell)
            watch.run(rounds(growing), stopped)
        self._finish()
        return code

    def _read(self, logs: Sequence[Path], dns: Sequence[Path]) -> ReadNotes:
        notes = read_logs(logs, self.options, self.tally)
        if self.queries is not None:
            notes.add(read_dns_logs(dns, self.queries, self.options.first_year, self.options.zone))
        return notes

    def _growing(self, path: Path) -> Growing:
        scanner = LogScanner(self.options.own_kinds, self.options.instance)
        year, zone = YearClock(reference_day(path), self.options.first_year), self.options.zone
        return Growing(
            follower(path), lambda chunk: self.tally.add(count_chunk(chunk, scanner, zone), year)
        )

    def _growing_dns(self, path: Path) -> Growing:
        year, zone = YearClock(reference_day(path), self.options.first_year), self.options.zone
        tally = self.queries
        assert tally is not None  # noqa: S101  # there is a DNS log
        return Growing(follower(path), lambda chunk: tally.add(scan_dns_log(chunk, zone), year))

    def _judge(self) -> Analysis:
        return analyse(self.tally, self.queries, self.choices, self.notes)

    def _refresh(self, found: Analysis) -> None:
        """Write files and dossiers; a disk that is full for a while ends no watch."""
        try:
            self.outputs.refresh(found)
            self.dossiers.write_new(self.tally, found, self.options)
        except BotprobeError as error:
            complain(f"{error}; tried again in a minute")

    def _finish(self) -> None:
        found = self._judge()
        self.outputs.write(found)
        self.dossiers.write(self.tally, found, self.options)
