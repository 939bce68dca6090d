"""``botprobe router --pcap``: the table from captures."""

from collections.abc import Sequence
from pathlib import Path

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.reading import tell_unread
from botprobe.cli.router_options import Whose
from botprobe.cli.router_screen import sort_table
from botprobe.cli.router_view import Books, View, suspects
from botprobe.observers.capture import CaptureNotes, capture_files
from botprobe.observers.router.counting import Counting
from botprobe.observers.router.credit import Action, CreditRule, SequentialTest
from botprobe.observers.router.packetlog import packet_log
from botprobe.observers.router.table import Judgement, judge, table_line


def show_captures(
    paths: Sequence[Path], whose: Whose, view: View, books: Books, *, packets: bool
) -> ExitCode:
    """Count captures, show the table and keep it; say how the command ends.

    Raises:
        InputError: no file can be read, or pcapy-ng is not installed.
    """
    notes = CaptureNotes()
    files = capture_files(paths, notes)
    judged = sort_table(_judged(files, view.rule, notes, whose), view.sort)
    code = tell_unread(notes, "capture")
    if packets:
        _print_lines(files, judged)
        view.write_metrics(judged)
    else:
        view.show(judged, notes)
    books.enter(judged)
    return code


def _judged(
    files: list[Path], rule: CreditRule, notes: CaptureNotes, whose: Whose
) -> list[Judgement]:
    counting = Counting(rule)
    counting.read(files, notes)
    return [
        judge(entry, rule, SequentialTest())
        for entry in counting.entries()
        if entry.address in whose
    ]


def _print_lines(files: list[Path], judged: list[Judgement]) -> None:
    """Write the original's log: the packets of the suspects, then a line per address."""
    for line in packet_log(files, suspects(judged), CaptureNotes()):
        print(line)
    for number, one in enumerate(judged, 1):
        print(table_line(number, one, Action.ACCEPT))
