"""One run over a set of candidates, as ``scan`` and ``probe`` share it."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.scanboard import LiveBoard, shown
from botprobe.cli.stderr import complain
from botprobe.model.mail import Mail
from botprobe.model.text import counted
from botprobe.model.verdict import Case, Label
from botprobe.pipeline import Candidate
from botprobe.settings import Settings
from botprobe.wiring import open_batch


@dataclass(frozen=True, slots=True)
class Investigation:
    """What a run found."""

    cases: tuple[Case, ...]
    troubles: tuple[str, ...]
    """One line for each thing that went wrong."""


def investigate(
    settings: Settings,
    candidates: Sequence[Candidate],
    *,
    mails: Sequence[Mail] = (),
    fresh: bool = False,
) -> Investigation:
    """Keep the mails, probe the candidates, and show the progress on a terminal.

    Raises:
        BotprobeError: nothing could be started at all.
    """
    troubles: list[str] = []

    def trouble(line: str) -> None:
        troubles.append(line)
        complain(line)

    board = LiveBoard(len(candidates))

    async def run() -> list[Case]:
        async with open_batch(settings, board, trouble, fresh=fresh) as batch:
            for mail in mails:
                await batch.keep_mail(mail)
            with shown(board):
                return await batch.run(candidates)

    try:
        return Investigation(tuple(asyncio.run(run())), tuple(troubles))
    except KeyboardInterrupt:
        complain(f"interrupted; {board.done} of {counted(len(candidates), 'host')} done and kept")
        raise


def exit_code(found: Investigation, fail_on: Collection[Label]) -> ExitCode:
    """Say how a run ends."""
    if any(case.verdict.label in fail_on for case in found.cases):
        return ExitCode.FAIL_ON
    return ExitCode.PARTLY if found.troubles else ExitCode.DONE
