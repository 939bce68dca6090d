"""Tests of the signs that tell the edition of a Windows."""

import pytest

from botprobe.classify.editions import greeted_by_microsoft, is_domain_controller
from botprobe.classify.oscatalog import OsRole
from botprobe.classify.system import read_system
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import (
    OsMatch,
    PortState,
    Reply,
    SmtpResult,
    WindowsAnswer,
    WindowsResult,
)
from tests.classify.builders import LINUX, SERVER, SEVEN, XP, match, measured, system

TEN = match("Microsoft Windows 10", "10")
SERVER_2012 = match("Microsoft Windows Server 2012 R2", "2012")
EITHER = system(SEVEN, SERVER)
CONTROLLER = measured(WindowsResult(ports=((88, PortState.OPEN), (389, PortState.OPEN))))


def greets(line: str) -> SmtpResult:
    """A session with this greeting."""
    return SmtpResult(port=PortState.OPEN, greeting=Reply(220, (line,)))


def speaks(*dialects: str) -> Measured[WindowsResult]:
    """A host whose SMB speaks these dialects."""
    answer = WindowsAnswer(port=445, script="smb-protocols", dialects=dialects)
    return measured(WindowsResult(answers=(answer,)))


class TestGreeting:
    @pytest.mark.parametrize(
        ("line", "role"),
        [
            ("mx.firm.example Microsoft ESMTP MAIL Service ready at Mon, 1 Jan", OsRole.SERVER),
            (
                "mx.firm.example Microsoft ESMTP MAIL Service, Version: 6.0.3790.4675 ready at x",
                OsRole.SERVER,
            ),
            ("PC Microsoft ESMTP MAIL Service, Version: 6.0.2600.5512 ready at", OsRole.CLIENT),
            ("PC Microsoft ESMTP MAIL Service, Version: 5.0.2195.6713 ready at", None),
            ("mx.firm.example ESMTP Postfix", None),
            ("", None),
        ],
    )
    def test_of_microsoft_tells_the_edition(self, line: str, role: OsRole | None) -> None:
        """Exchange runs on servers; the SMTP service of IIS says its version."""
        told = greeted_by_microsoft(greets(line))

        assert (told.role if told else None) is role


class TestSigns:
    @pytest.mark.parametrize(
        ("facts", "role"),
        [
            (Facts(os=EITHER), OsRole.AMBIGUOUS),
            (Facts(os=EITHER, windows=CONTROLLER), OsRole.SERVER),
            (
                Facts(os=EITHER, smtp=measured(greets("mx Microsoft ESMTP MAIL Service ready"))),
                OsRole.SERVER,
            ),
            # They settle what is open, and overrule nobody.
            (Facts(os=system(XP), windows=CONTROLLER), OsRole.CLIENT),
            (Facts(os=system(LINUX), windows=CONTROLLER), OsRole.OTHER),
            (Facts(os=system(LINUX, XP), windows=CONTROLLER), OsRole.AMBIGUOUS),
        ],
    )
    def test_settle_what_is_open(self, facts: Facts, role: OsRole) -> None:
        """Only where client and server of Windows compete does a sign decide."""
        reading = read_system(facts).os

        assert reading is not None
        assert reading.role is role

    def test_kerberos_alone_is_no_controller(self) -> None:
        """Both services belong to one."""
        closed = WindowsResult(ports=((88, PortState.OPEN), (389, PortState.CLOSED)))

        assert not is_domain_controller(closed)
        assert not is_domain_controller(WindowsResult())


class TestDialects:
    @pytest.mark.parametrize(
        ("matches", "dialects", "role"),
        [
            ((TEN, SERVER_2012), ("2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"), OsRole.CLIENT),
            ((TEN, SERVER_2012), ("2.0.2", "2.1", "3.0", "3.0.2"), OsRole.SERVER),
            ((SEVEN, SERVER), ("2.0.2", "2.1"), OsRole.AMBIGUOUS),
            ((SEVEN, SERVER), ("3.1.1",), OsRole.AMBIGUOUS),
            # That newer dialects went unanswered may be the network's doing.
            ((XP, SERVER), ("NT LM 0.12",), OsRole.AMBIGUOUS),
            ((SEVEN, SERVER), ("nonsense",), OsRole.AMBIGUOUS),
        ],
    )
    def test_leave_the_matches_that_speak_them(
        self, matches: tuple[OsMatch, ...], dialects: tuple[str, ...], role: OsRole
    ) -> None:
        """Where only clients, or only servers, could have spoken so, that decides."""
        reading = read_system(Facts(os=system(*matches), windows=speaks(*dialects))).os

        assert reading is not None
        assert reading.role is role
