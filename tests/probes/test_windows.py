"""Tests of the Windows probe: when it asks, whom, and what it reads."""

import sys
from ipaddress import ip_address
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.classify.editions import DIRECTORY_PORTS
from botprobe.errors import ParseError, ProbeUnavailable, RefusedByScope
from botprobe.model.results import OsClass, OsMatch, OsResult, PortState, WindowsAnswer
from botprobe.model.target import Target
from botprobe.probes.osdetect_xml import HostStream
from botprobe.probes.windows import (
    SCRIPTS,
    Questions,
    WindowsFollowUp,
    questions_for,
    read_answers,
)
from botprobe.probes.windows import script_scan as arguments
from tests.probes.conftest import FakePermission

HOST = Target(ip_address("198.18.0.1"))

_RDP_ANSWER = """\
<host><ports><port protocol="tcp" portid="3389"><state state="open"/>
<script id="rdp-ntlm-info" output="..."><elem key="Target_Name">LAB</elem>
<elem key="NetBIOS_Computer_Name">DESKTOP-0123ABC</elem>
<elem key="Product_Version">10.0.19045</elem></script></port></ports>{more}</host>"""
_SMB_ANSWER = """\
<hostscript><script id="smb-os-discovery" output="..."><elem key="os">Windows XP</elem>
<elem key="lanmanager">Windows 2000 LAN Manager</elem><elem key="server">OFFICE\\x00</elem>
</script></hostscript>"""

# Stands where nmap would: answers for the first address with what the test wrote beside it.
_FAKE_NMAP = """#!{python} -IS
print('<?xml version="1.0"?><nmaprun version="7.93">')
print(open({answer!r}).read())
print("</nmaprun>")
"""


def xml_text(most: int) -> st.SearchStrategy[str]:
    """Return a strategy for text that XML can hold."""
    return st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=most)


def stack(
    *names: tuple[str, str], accuracy: int = 100, ports: tuple[int, ...] = (445, 3389)
) -> OsResult:
    """Return what nmap says of a stack: families and generations of equally good matches."""
    matches = tuple(
        OsMatch(
            name=f"{family} {generation}",
            accuracy=accuracy,
            classes=(
                OsClass(
                    vendor="Microsoft" if family == "Windows" else family,
                    family=family,
                    generation=generation,
                    type="general purpose",
                    accuracy=accuracy,
                ),
            ),
        )
        for family, generation in names
    )
    states = [(port, PortState.OPEN) for port in ports]
    return OsResult(matches=matches, ports=(*states, (65000, PortState.CLOSED)))


class TestQuestions:
    @pytest.mark.parametrize(
        ("seen", "asked"),
        [
            (stack(("Windows", "7"), ("Windows", "2008")), (445, 3389)),
            (stack(("Windows", "XP")), ()),
            (stack(("Windows", "2003")), ()),
            (stack(("Windows", "10"), accuracy=97), (445, 3389)),
            (stack(("Linux", "3.X")), (3389,)),
            (stack(("Linux", "3.X"), ports=(445,)), ()),
            (stack(("Windows", "7"), ("Windows", "2008"), ports=(25, 135)), ()),
            (stack(("Windows", "7"), ("Windows", "2008"), ports=(139, 445)), (445,)),
            (stack(), (445, 3389)),
        ],
    )
    def test_asks_only_where_the_stack_leaves_a_question(
        self, seen: OsResult, asked: tuple[int, ...]
    ) -> None:
        """A perfect match settles it; a guess, a tie or silence do not; closed ports never."""
        assert questions_for(seen).scripts == asked

    def test_asks_nothing_of_a_host_with_every_port_open(self) -> None:
        """A tarpit answers whatever one asks."""
        ports = tuple((port, PortState.OPEN) for port in (21, 22, 25, 80, 139, 443, 445, 3389))

        assert questions_for(OsResult(ports=ports)) == Questions()

    @pytest.mark.parametrize(
        ("seen", "asked"),
        [
            (stack(("Windows", "7"), ("Windows", "2008"), ports=(135,)), DIRECTORY_PORTS),
            (stack(("Windows", "7")), ()),
            (stack(("Windows", "2012")), ()),
            (stack(("Linux", "3.X")), ()),
            (stack(), ()),
        ],
    )
    def test_looks_for_a_domain_controller_where_the_edition_is_open(
        self, seen: OsResult, asked: tuple[int, ...]
    ) -> None:
        """Further ports are touched only where client and server compete."""
        assert questions_for(seen).ports == asked

    @given(st.lists(st.tuples(st.integers(1, 65535), st.sampled_from(PortState)), max_size=20))
    def test_asks_only_open_ports_of_the_list(self, ports: list[tuple[int, PortState]]) -> None:
        """Whatever nmap reports, no script runs on a port that was not found open."""
        seen = OsResult(ports=tuple(ports))

        assert set(questions_for(seen).scripts) <= SCRIPTS.keys() & set(seen.open_ports)


class TestArguments:
    def test_name_only_the_scripts_of_the_ports(self) -> None:
        """Nothing that is not on the list runs, and nothing that nmap would choose by itself."""
        line = arguments(HOST.address, Questions(scripts=(3389, 80), ports=(389, 88)))

        assert line[line.index("--script") + 1] == "http-ntlm-info,rdp-ntlm-info"
        assert line[line.index("-p") + 1] == "80,88,389,3389"
        assert not {"-A", "-sC", "-sV"} & set(line)
        assert line[-1] == "198.18.0.1"

    def test_say_which_ip_version(self) -> None:
        """Nmap takes IPv6 addresses only with -6."""
        assert "-6" in arguments(ip_address("2001:db8::1"), Questions(scripts=(445,)))

    def test_run_no_script_where_none_is_asked_for(self) -> None:
        """Three connections, and not a word."""
        line = arguments(HOST.address, Questions(ports=(88, 389)))

        assert "--script" not in line
        assert line[line.index("-p") + 1] == "88,389"


class TestReadAnswers:
    def test_a_host_inside_of_a_host_is_unreadable(self) -> None:
        """What was cut out too early is no document, and stops nobody else."""
        stream = HostStream()
        stream.feed(b"<nmaprun><host><ports><host></host>")
        (cut,) = stream.take()

        with pytest.raises(ParseError, match="unreadable host"):
            read_answers(cut, Questions())

    @pytest.mark.parametrize(
        ("said", "dialects"),
        [
            (
                ("NT LM 0.12 (SMBv1) [dangerous, but default]", "2.02", "2.10"),
                ("NT LM 0.12", "2.0.2", "2.1"),
            ),
            (("202", "210", "300", "302", "311"), ("2.0.2", "2.1", "3.0", "3.0.2", "3.1.1")),
            (("2:0:2", "2:1", "3:0", "3:0:2", "3:1:1"), ("2.0.2", "2.1", "3.0", "3.0.2", "3.1.1")),
            (("4.0", "", "x" * 500), ()),
        ],
    )
    def test_knows_the_dialects_as_any_nmap_writes_them(
        self, said: tuple[str, ...], dialects: tuple[str, ...]
    ) -> None:
        """Each version of nmap had its own way; what is none of them is left out."""
        elements = "".join(f"<elem>{one}</elem>" for one in said)
        host = (
            f'<host><hostscript><script id="smb-protocols"><table key="dialects">{elements}'
            "</table></script></hostscript></host>"
        )

        answers = read_answers(host.encode(), Questions(scripts=(445,))).answers

        assert tuple(one for answer in answers for one in answer.dialects) == dialects

    def test_reads_dialects_and_further_ports(self) -> None:
        """Whatever else nmap lists, only what was asked for is taken."""
        host = (
            b'<host><ports><port portid="88"><state state="open"/></port>'
            b'<port portid="389"><state state="open|filtered"/></port>'
            b'<port portid="1"><state state="open"/></port></ports><hostscript>'
            b'<script id="smb-protocols"><table key="dialects"><elem>2.0.2</elem><elem>2.1</elem>'
            b"</table></script></hostscript></host>"
        )

        result = read_answers(host, Questions(scripts=(445,), ports=(88, 389)))

        assert result.ports == ((88, PortState.OPEN),)
        assert result.answers == (
            WindowsAnswer(port=445, script="smb-protocols", dialects=("2.0.2", "2.1")),
        )

    def test_reads_version_product_and_name(self) -> None:
        """Both kinds of script are read: of a port, and of a host."""
        host = _RDP_ANSWER.format(more=_SMB_ANSWER).encode()

        assert read_answers(host, Questions(scripts=(445, 3389))).answers == (
            WindowsAnswer(
                port=3389, script="rdp-ntlm-info", version="10.0.19045", computer="DESKTOP-0123ABC"
            ),
            WindowsAnswer(
                port=445, script="smb-os-discovery", product="Windows XP", computer="OFFICE"
            ),
        )

    def test_takes_samba_for_samba(self) -> None:
        """Samba calls itself a Windows, and tells the truth one field further on."""
        answer = _SMB_ANSWER.replace("Windows 2000 LAN Manager", "Samba 4.17.12")

        questions = Questions(scripts=(445,))
        (told,) = read_answers(f"<host>{answer}</host>".encode(), questions).answers

        assert told.product == "Samba 4.17.12"

    @pytest.mark.parametrize("version", ["10.0", "10.0.19045 ", "9" * 400, "", "ten"])
    def test_takes_no_version_that_is_none(self, version: str) -> None:
        """A host may write anything into its challenge."""
        host = _RDP_ANSWER.format(more="").replace("10.0.19045", version).encode()

        assert read_answers(host, Questions(scripts=(3389,))).answers == ()

    @given(xml_text(30), xml_text(300), st.sampled_from(sorted(SCRIPTS)))
    def test_bounds_whatever_is_written(self, key: str, text: str, port: int) -> None:
        """Foreign text is cut, and neither key nor value can break the reading."""
        host = Element("host")
        element = SubElement(SubElement(host, "ports"), "port", portid=str(port))
        script = SubElement(element, "script", id=SCRIPTS[port][0])
        for name in (key, "os", "server"):
            SubElement(script, "elem", key=name).text = text

        answers = read_answers(tostring(host), Questions(scripts=(port,))).answers

        assert all(len(answer.product or "") <= 120 for answer in answers)


class TestWindowsProbe:
    @pytest.fixture
    def program(self, tmp_path: Path) -> Path:
        """A program that answers like nmap with the document in ``answer``."""
        program = tmp_path / "nmap"
        program.write_text(
            _FAKE_NMAP.format(python=sys.executable, answer=str(tmp_path / "answer"))
        )
        program.chmod(0o755)
        return program

    async def test_gives_what_the_scripts_found(
        self, program: Path, permission: FakePermission
    ) -> None:
        """The answers of nmap's scripts arrive as a result."""
        (program.parent / "answer").write_text(_RDP_ANSWER.format(more=""))
        probe = WindowsFollowUp(permission=permission, program=str(program))(stack())
        assert probe is not None

        result = await probe.run(HOST)

        assert [answer.version for answer in result.answers] == ["10.0.19045"]
        assert permission.asked == [HOST.address]

    async def test_silence_of_services_is_a_result_and_of_nmap_is_none(
        self, program: Path, permission: FakePermission
    ) -> None:
        """Services that tell nothing were measured; an nmap that breaks was not."""
        probe = WindowsFollowUp(permission=permission, program=str(program))(stack())
        assert probe is not None
        (program.parent / "answer").write_text("<host></host>")
        silent = await probe.run(HOST)
        (program.parent / "answer").write_text("")

        assert silent.answers == ()
        with pytest.raises(ProbeUnavailable, match="left the host out"):
            await probe.run(HOST)

    async def test_asks_nobody_who_is_refused(self, program: Path) -> None:
        """The safety rules are asked again right before nmap starts."""
        refusing = FakePermission(refused=frozenset({HOST.address}))
        probe = WindowsFollowUp(permission=refusing, program=str(program))(stack())
        assert probe is not None

        with pytest.raises(RefusedByScope):
            await probe.run(HOST)
