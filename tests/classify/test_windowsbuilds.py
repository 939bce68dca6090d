"""Tests of which Windows a version or product belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.classify.oscatalog import OsRole
from botprobe.classify.system import read_system
from botprobe.classify.windowsbuilds import BUILDS, answers_differ, read_windows
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import OsMatch, WindowsAnswer, WindowsResult
from tests.classify.builders import LINUX, ROUTER, SERVER, SEVEN, XP, measured, system


def told(
    version: str | None = None, product: str | None = None, computer: str | None = None
) -> WindowsAnswer:
    """What one service told."""
    return WindowsAnswer(
        port=3389, script="rdp-ntlm-info", version=version, product=product, computer=computer
    )


def role_of(*answers: WindowsAnswer) -> OsRole | None:
    """The role that the answers give."""
    reading = read_windows(WindowsResult(answers=answers))
    return None if reading is None else reading.role


class TestReadWindows:
    @pytest.mark.parametrize(
        ("version", "role"),
        [
            ("5.1.2600", OsRole.CLIENT),
            ("5.2.3790", OsRole.AMBIGUOUS),
            ("6.0.6000", OsRole.CLIENT),
            ("6.0.6002", OsRole.AMBIGUOUS),
            ("6.1.7601", OsRole.AMBIGUOUS),
            ("6.3.9600", OsRole.AMBIGUOUS),
            ("10.0.14393", OsRole.AMBIGUOUS),
            ("10.0.17763", OsRole.AMBIGUOUS),
            ("10.0.19041", OsRole.CLIENT),
            ("10.0.19041.5", OsRole.CLIENT),
            ("10.0.20348", OsRole.SERVER),
            ("10.0.22631", OsRole.CLIENT),
            ("10.0.26100", OsRole.AMBIGUOUS),
            ("10.0.99999", None),
            ("10.0.190411", None),
            ("ten", None),
            ("", None),
            (None, None),
        ],
    )
    def test_build_decides_only_where_editions_differ(
        self, version: str | None, role: OsRole | None
    ) -> None:
        """A build that client and server share stays ambiguous, an unknown one says nothing."""
        assert role_of(told(version)) is role

    @pytest.mark.parametrize(
        ("product", "role"),
        [
            ("Windows Server 2012 R2 Standard 9600", OsRole.SERVER),
            ("Windows Server (R) 2008 Standard 6001 Service Pack 1", OsRole.SERVER),
            ("Windows 7 Professional 7601 Service Pack 1", OsRole.CLIENT),
            ("Windows 8.1 Pro 9600", OsRole.CLIENT),
            ("Windows XP", OsRole.CLIENT),
            ("Windows 5.1", OsRole.CLIENT),
            ("Windows 6.1 (Samba 4.7.6-Ubuntu)", OsRole.OTHER),
            ("Windows", None),
        ],
    )
    def test_product_name_decides(self, product: str, role: OsRole | None) -> None:
        """SMB gives the edition itself; Samba only plays a Windows."""
        assert role_of(told(product=product)) is role

    def test_product_counts_more_than_a_shared_build(self) -> None:
        """The name tells what the build cannot."""
        assert role_of(told("6.1.7601", "Windows 7 Professional 7601 Service Pack 1")) is (
            OsRole.CLIENT
        )

    def test_installers_name_tells_a_client(self) -> None:
        """DESKTOP- and seven letters is what setup calls a Windows 10 or 11, and no server."""
        assert role_of(told("10.0.26100", computer="DESKTOP-1AB2C3D")) is OsRole.CLIENT
        assert role_of(told("10.0.26100", computer="DESKTOP-OF-BOB")) is OsRole.AMBIGUOUS
        assert role_of(told("6.1.7601", computer="DESKTOP-1AB2C3D")) is OsRole.AMBIGUOUS
        assert role_of(told("6.1.7601", computer="ROSA-PC")) is OsRole.CLIENT
        assert role_of(told("10.0.26100", computer="ROSA-PC")) is OsRole.AMBIGUOUS

    def test_installers_name_tells_a_server(self) -> None:
        """WIN- and eleven letters is what setup calls a Windows Server since 2016."""
        assert role_of(told("10.0.17763", computer="WIN-0123456789A")) is OsRole.SERVER
        assert role_of(told("6.1.7601", computer="WIN-0123456789A")) is OsRole.AMBIGUOUS

    def test_answers_that_differ_are_ambiguous(self) -> None:
        """Two computers behind one address are not silently one of them."""
        assert role_of(told("5.1.2600"), told("10.0.20348")) is OsRole.AMBIGUOUS
        assert role_of(told("6.1.7601"), told("5.1.2600")) is OsRole.AMBIGUOUS
        assert role_of(told("6.1.7601"), told(product="Windows 7 Professional")) is OsRole.CLIENT

    @pytest.mark.parametrize(
        ("answers", "differ"),
        [
            ((), False),
            ((told("5.1.2600"), told("5.1.2600")), False),
            ((told("6.1.7601"), told(product="Windows 7 Professional")), False),
            ((told("10.0.19041"), told("nonsense")), False),
            ((told("10.0.20348"), told(product="Windows 7 Professional")), True),
            ((told("10.0.17763"), told("6.1.7601")), True),
            ((told("5.1.2600"), told(product="Windows 6.1 (Samba 4.7.6)")), True),
        ],
    )
    def test_several_computers_are_noticed(
        self, answers: tuple[WindowsAnswer, ...], *, differ: bool
    ) -> None:
        """One computer has one build and one purpose, whichever of its services is asked."""
        assert answers_differ(WindowsResult(answers=answers)) is differ

    @given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=50))
    def test_takes_any_text(self, version: str, product: str, computer: str) -> None:
        """All three are the host's own words."""
        assert role_of(told(version, product, computer)) in {None, *OsRole}

    def test_table_is_in_order(self) -> None:
        """A new build has one place in the table."""
        numbers = [tuple(map(int, version.split("."))) for version in BUILDS]

        assert numbers == sorted(numbers)


class TestReadSystem:
    @pytest.mark.parametrize(
        ("entries", "version", "role"),
        [
            ((SEVEN, SERVER), "10.0.19041", OsRole.CLIENT),
            ((SEVEN, SERVER), "10.0.20348", OsRole.SERVER),
            ((SEVEN, SERVER), "6.1.7601", OsRole.AMBIGUOUS),
            # A database older than the system takes it for the newest that it knows.
            ((SEVEN,), "10.0.20348", OsRole.SERVER),
            ((), "5.1.2600", OsRole.CLIENT),
            ((XP,), "nonsense", OsRole.CLIENT),
            # What a service says and the stack contradicts is believed of neither.
            ((XP,), "6.1.7601", OsRole.AMBIGUOUS),
            ((XP,), "10.0.17763", OsRole.AMBIGUOUS),
            ((SEVEN,), "6.1.7601", OsRole.CLIENT),
            ((SERVER,), "6.0.6002", OsRole.SERVER),
            ((SERVER,), "10.0.17763", OsRole.AMBIGUOUS),
            ((), "10.0.17763", OsRole.AMBIGUOUS),
            ((LINUX,), "5.1.2600", OsRole.OTHER),
        ],
    )
    def test_own_word_of_a_windows_counts(
        self, entries: tuple[OsMatch, ...], version: str, role: OsRole
    ) -> None:
        """Where the stack leaves it open, the version decides; a foreign stack stays foreign."""
        windows = measured(WindowsResult(answers=(told(version),)))
        reading = read_system(Facts(os=system(*entries), windows=windows)).os

        assert reading is not None
        assert reading.role is role

    def test_services_that_disagree_leave_it_open(self) -> None:
        """The stack is one computer's, and it cannot be told whose."""
        answers = (told("10.0.20348"), told(product="Windows 7 Professional 7601"))
        reading = read_system(
            Facts(os=system(SEVEN), windows=measured(WindowsResult(answers=answers)))
        ).os

        assert reading is not None
        assert reading.role is OsRole.AMBIGUOUS

    def test_works_without_nmap(self) -> None:
        """A service may tell what no raw socket was there to find out."""
        windows = measured(WindowsResult(answers=(told("5.1.2600"),)))
        reading = read_system(Facts(windows=windows)).os

        assert reading is not None
        assert reading.told_by_host
        assert reading.name == "Windows XP"

    def test_nothing_measured_is_nothing_read(self) -> None:
        """Not measured is not unknown."""
        assert read_system(Facts()).os is None


class TestDiffersBehind:
    @pytest.mark.parametrize(
        ("entry", "answer", "differs"),
        [
            (LINUX, told("5.1.2600"), True),
            (ROUTER, told("10.0.20348"), True),
            (LINUX, told(product="Windows 6.1 (Samba 4.7.6)"), False),
            (LINUX, told("6.1.7601"), False),
            (XP, told("10.0.20348"), False),
        ],
    )
    def test_windows_behind_another_stack_is_a_gateway(
        self, entry: OsMatch, answer: WindowsAnswer, *, differs: bool
    ) -> None:
        """Port forwarding shows the router's stack and the Windows' services."""
        windows: Measured[WindowsResult] = measured(WindowsResult(answers=(answer,)))

        assert read_system(Facts(os=system(entry), windows=windows)).hides_a_windows is differs
