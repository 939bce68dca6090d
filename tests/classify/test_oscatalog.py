"""Tests of what nmap's words mean."""

from dataclasses import replace

import pytest

from botprobe.classify.oscatalog import OsRole, match_role, read_os
from botprobe.model.results import OsClass, OsMatch, OsResult
from tests.classify.builders import LINUX, PRINTER, ROUTER, SERVER, SEVEN, XP, match
from tests.classify.osdb import installed_database, is_microsoft, read_entries


def reading_of(*matches: OsMatch) -> OsRole:
    """The role of a host with these matches."""
    return read_os(OsResult(matches=matches)).role


def at(entry: OsMatch, accuracy: int) -> OsMatch:
    """The same entry as a guess."""
    return replace(entry, accuracy=accuracy)


class TestMatchRole:
    @pytest.mark.parametrize(
        ("name", "generation"),
        [
            ("Microsoft Windows 95", "95"),
            ("Microsoft Windows 98 SE", "98"),
            ("Microsoft Windows Millennium Edition (Me)", "Me"),
            ("Microsoft Windows NT Workstation 4.0 SP6a", "NT"),
            ("Microsoft Windows 2000 Professional SP4", "2000"),
            ("Microsoft Windows XP SP3", "XP"),
            ("Microsoft Windows Vista Business", "Vista"),
            ("Microsoft Windows 7 Enterprise", "7"),
            ("Microsoft Windows 8", "8"),
            ("Microsoft Windows 8.1 Update 1", "8.1"),
            ("Microsoft Windows 10 1809 - 21H2", "10"),
            ("Microsoft Windows 11 21H2", "11"),
            ("Microsoft Windows Fundamentals for Legacy PCs (XP Embedded derivative)", "XP"),
        ],
    )
    def test_client_editions_are_clients(self, name: str, generation: str) -> None:
        """Every client Windows from 95 to 11 is a client."""
        assert match_role(match(name, generation)) is OsRole.CLIENT

    @pytest.mark.parametrize(
        ("name", "generation"),
        [
            ("Microsoft Windows 2000 Server", "2000"),
            ("Microsoft Windows 2000 AS SP4", "2000"),
            ("Microsoft Windows NT 4.0 Terminal Server Edition SP6", "NT"),
            ("Microsoft Windows Small Business Server 2003 SP1", "2003"),
            ("Microsoft Windows 2003 R2", "2003"),
            ("Microsoft Windows Home Server 2011 (Windows Server 2008 R2)", "2008"),
            ("Microsoft Server 2008 R2 SP1", "2008"),
            ("Microsoft Windows Server 2012 or Server 2012 R2", "2012"),
            ("Microsoft Windows Server 2016 or Server 2019", "2016"),
            ("Microsoft Windows Server 2022", "2022"),
            ("Microsoft Windows Server 2025", "2025"),
        ],
    )
    def test_server_editions_are_servers(self, name: str, generation: str) -> None:
        """Every server Windows is a server, whatever it is sold as."""
        assert match_role(match(name, generation)) is OsRole.SERVER

    @pytest.mark.parametrize(
        ("name", "generation"),
        [
            ("Microsoft Windows 2000 SP4", "2000"),
            ("Microsoft Windows NT 4.0 SP6a", "NT"),
            ("Microsoft Windows Longhorn", "Longhorn"),
            # The class knows less than the name in each of these.
            ("Microsoft Windows Vista SP0 or SP1, Server 2008 SP1, or Windows 7", "Vista"),
            ("Microsoft Windows Server 2008 R2 or Windows 8", "2008"),
            ("Microsoft Windows 2000 SP6", "XP"),
            ("Microsoft Windows XP SP2 or SP3, or Windows Embedded Standard 2009", "XP"),
        ],
    )
    def test_entries_without_an_edition_or_with_two_are_ambiguous(
        self, name: str, generation: str
    ) -> None:
        """What may be a server is never silently a client, nor the other way round."""
        assert match_role(match(name, generation)) is OsRole.AMBIGUOUS

    def test_edition_is_read_from_the_cpe_too(self) -> None:
        """The edition of Windows 2000 may stand in the CPE alone."""
        cpe = ("cpe:/o:microsoft:windows_2000::sp4:professional",)

        assert match_role(match("Microsoft Windows 2000", "2000", cpe=cpe)) is OsRole.CLIENT

    def test_editions_that_contradict_each_other_are_ambiguous(self) -> None:
        """A name that says Server beside a CPE that says professional tells nothing."""
        cpe = ("cpe:/o:microsoft:windows_2000::sp4:professional",)
        entry = match("Microsoft Windows 2000 Server SP4", "2000", cpe=cpe)

        assert match_role(entry) is OsRole.AMBIGUOUS

    def test_entry_with_both_classes_is_ambiguous(self) -> None:
        """Windows 7 and Server 2008 R2 share a stack, and entries that say so."""
        entry = OsMatch(name="shared", accuracy=100, classes=(*SEVEN.classes, *SERVER.classes))

        assert match_role(entry) is OsRole.AMBIGUOUS

    @pytest.mark.parametrize(
        ("name", "generation", "family", "kind"),
        [
            ("Microsoft Windows CE 5.0", "PocketPC/CE", "Windows", "general purpose"),
            ("Microsoft Windows Phone 7.5 or 8.0", "Phone", "Windows", "phone"),
            ("HTC Touch (Windows Mobile 6)", "6.X", "Windows Mobile", "phone"),
            ("Microsoft Xbox 360 Dashboard", None, "Xbox 360", "media device"),
            ("Microsoft Windows Embedded POSready 7", "7", "Windows", "specialized"),
            ("LaCie NAS device (Windows XP Embedded)", "XP", "Windows", "storage-misc"),
            ("Microsoft Windows XP Embedded SP2", "XP", "Windows", "general purpose"),
        ],
    )
    def test_windows_on_a_device_is_neither(
        self, name: str, generation: str | None, family: str, kind: str
    ) -> None:
        """A till, a phone or a game console is nobody's client computer."""
        entry = match(name, generation, family=family, kind=kind)

        assert match_role(entry) is OsRole.OTHER

    @pytest.mark.parametrize(("family", "generation"), [("Windows", "12"), ("Midori", None)])
    def test_unknown_words_are_recognised_as_unknown(
        self, family: str, generation: str | None
    ) -> None:
        """A generation or family that the catalogue does not know is not guessed."""
        assert match_role(match("Microsoft news", generation, family=family)) is None

    @pytest.mark.parametrize("entry", [LINUX, ROUTER, PRINTER])
    def test_what_is_not_from_microsoft_is_other(self, entry: OsMatch) -> None:
        """Only Microsoft makes client or server Windows."""
        assert match_role(entry) is OsRole.OTHER


class TestReadOs:
    def test_all_ties_must_be_clients(self) -> None:
        """A tie of client and server is ambiguous, in either order."""
        assert reading_of(XP, SEVEN) is OsRole.CLIENT
        assert reading_of(SEVEN, SERVER) is OsRole.AMBIGUOUS
        assert reading_of(SERVER, SEVEN) is OsRole.AMBIGUOUS

    def test_tie_with_another_system_is_not_a_client(self) -> None:
        """A Linux that fits as well spoils the name."""
        assert reading_of(XP, LINUX) is OsRole.AMBIGUOUS

    def test_perfect_match_beats_guesses(self) -> None:
        """Nmap's guesses below a perfect match do not compete with it."""
        assert reading_of(XP, at(SERVER, 99)) is OsRole.CLIENT

    def test_guesses_one_point_behind_compete(self) -> None:
        """Accuracies are cut to whole per cent: one point is no difference."""
        assert reading_of(at(XP, 97), at(SERVER, 96)) is OsRole.AMBIGUOUS
        assert reading_of(at(XP, 97), at(SERVER, 95)) is OsRole.CLIENT

    def test_weak_guess_never_makes_a_client(self) -> None:
        """Below 95 % nmap took servers for clients: a Windows, no more."""
        assert reading_of(at(XP, 94)) is OsRole.AMBIGUOUS
        assert reading_of(at(SERVER, 94)) is OsRole.AMBIGUOUS
        assert reading_of(at(LINUX, 94)) is OsRole.UNKNOWN

    def test_guess_at_the_newest_client_is_ambiguous(self) -> None:
        """A server that is newer than the database looks like the newest client in it."""
        ten = match("Microsoft Windows 10 1607", "10")

        assert reading_of(ten) is OsRole.CLIENT
        assert reading_of(at(ten, 99)) is OsRole.AMBIGUOUS
        assert reading_of(at(XP, 98), at(ten, 97)) is OsRole.AMBIGUOUS
        assert reading_of(at(XP, 98), at(ten, 96)) is OsRole.CLIENT

    def test_weak_guesses_that_differ_tell_nothing(self) -> None:
        """A Windows at 92 % beside a Linux at 85 % is no reading."""
        assert reading_of(at(XP, 92), at(LINUX, 85)) is OsRole.UNKNOWN

    def test_order_of_the_matches_does_not_matter(self) -> None:
        """The accuracy decides, not the place in the list."""
        assert read_os(OsResult(matches=(at(SERVER, 90), XP))) == read_os(
            OsResult(matches=(XP, at(SERVER, 90)))
        )

    def test_no_match_is_unknown(self) -> None:
        """Nothing seen, nothing said."""
        reading = read_os(OsResult())

        assert reading.role is OsRole.UNKNOWN
        assert reading.name is None
        assert reading.accuracy == 0

    def test_names_every_rival(self) -> None:
        """A tie is shown as a tie."""
        reading = read_os(OsResult(matches=(SEVEN, SERVER)))

        assert reading.names == (SEVEN.name, SERVER.name)
        assert reading.family == "Windows"
        assert reading.generation is None

    def test_unknown_entry_does_not_make_a_client(self) -> None:
        """An entry that the catalogue does not know competes like any other."""
        assert reading_of(XP, match("Microsoft Windows 12", "12")) is OsRole.AMBIGUOUS

    def test_gateways_and_devices_are_told_from_computers(self) -> None:
        """A router is a gateway, a printer a device, a Linux that may be either is neither."""
        readings = [read_os(OsResult(matches=(entry,))) for entry in (ROUTER, PRINTER, LINUX)]

        assert [reading.is_gateway for reading in readings] == [True, False, False]
        assert [reading.is_device for reading in readings] == [True, True, False]

    def test_match_without_classes_is_read(self) -> None:
        """Nmap gives some entries no class; they are named and nothing more."""
        reading = read_os(OsResult(matches=(OsMatch(name="Unheard Of", accuracy=100),)))

        assert reading.role is OsRole.OTHER
        assert reading.family is None
        assert not reading.is_device


class TestInstalledDatabase:
    @pytest.fixture(scope="class")
    @staticmethod
    def entries() -> list[OsMatch]:
        """Every entry of the installed database."""
        path = installed_database()
        if path is None:
            pytest.skip("no nmap is installed: its database is not part of this project")
        with path.open(encoding="utf-8", errors="replace") as lines:
            return list(read_entries(lines))

    def test_no_microsoft_entry_is_unclassified(self, entries: list[OsMatch]) -> None:
        """A newer database with a newer Windows fails here, and the catalogue is extended."""
        unknown = [
            entry.name for entry in entries if is_microsoft(entry) and match_role(entry) is None
        ]

        assert len(entries) > 5000
        assert unknown == []

    def test_no_other_entry_is_a_windows(self, entries: list[OsMatch]) -> None:
        """No router, printer or Linux is ever a client, a server or in between."""
        roles = {match_role(entry) for entry in entries if not is_microsoft(entry)}

        assert roles == {OsRole.OTHER}

    def test_no_name_contradicts_its_role(self, entries: list[OsMatch]) -> None:
        """The word Server stands in no client's name, and a client's product in no server's."""
        by_role = {
            role: [entry.name for entry in entries if match_role(entry) is role] for role in OsRole
        }

        assert len(by_role[OsRole.CLIENT]) > 400
        assert not [name for name in by_role[OsRole.CLIENT] if "Server" in name]
        assert not [
            name
            for name in by_role[OsRole.SERVER]
            if any(word in name for word in ("XP", "Vista", "Windows 7", "Windows 10"))
        ]


class TestReadEntries:
    def test_reads_names_classes_and_cpes(self) -> None:
        """An entry has one or more classes, and each its own CPEs."""
        text = """
            # a comment
            Fingerprint Example OS 1.0 or 2.0
            Class Example | ExampleOS | 1.X | general purpose
            CPE cpe:/o:example:os:1.0 auto
            Class Example | embedded || router
            SEQ(SP=0-5%GCD=51E80C%ISR=C8-D2)
        """

        (entry,) = read_entries(text.splitlines(keepends=True))

        assert entry.name == "Example OS 1.0 or 2.0"
        assert entry.classes == (
            OsClass(
                vendor="Example",
                family="ExampleOS",
                generation="1.X",
                type="general purpose",
                accuracy=100,
                cpe=("cpe:/o:example:os:1.0",),
            ),
            OsClass(vendor="Example", family="embedded", type="router", accuracy=100),
        )
