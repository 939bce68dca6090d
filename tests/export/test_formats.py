"""Every form of export, read by the program that it is made for."""

import csv
import importlib.util
import io
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.reversename
import jsonschema
import pytest
import stix2validator
from pymisp import MISPEvent

import botprobe.export.dnszones
from botprobe.errors import ConfigError, InputError
from botprobe.export.events import intelmq_event
from botprobe.export.formats import FORMATS
from tests.cases import NOON
from tests.export.examples import PUBLICATION, finding, findings

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def written(name: str, **changes: Any) -> str:
    """Return an export of the three examples."""
    return "".join(FORMATS[name].write(findings(), replace(PUBLICATION, **changes)))


def run(*command: str, code: int = 0, cwd: Path | None = None) -> str:
    """Run a program and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=15, cwd=cwd, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def program(name: str) -> str:
    """Return the path of an installed program; administrators' folders count too."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin")
    assert path is not None, f"{name} is not installed: scripts/setup does it"
    return path


class TestAll:
    @pytest.mark.parametrize("name", FORMATS)
    def test_entries_carry_evidence_and_expiry(self, name: str) -> None:
        """Whoever meets an entry finds the log that it stands on, and when it ends."""
        text = written(name)

        for shown in findings():
            assert shown.evidence_id in text
        assert "2026-12-06T12:00:00" in text or name in {"nftables", "postscreen"}

    @pytest.mark.parametrize("name", FORMATS)
    def test_nothing_hostile_gets_through(self, name: str) -> None:
        """No control or bidirectional character of a reason reaches a reader."""
        text = written(name).replace("\r\n", "\n")

        assert not set(text) & {"\x1b", "\u202e", "\r"}
        assert "\nBcc:" not in text

    @pytest.mark.parametrize("name", FORMATS)
    def test_nothing_is_a_whole_file_too(self, name: str) -> None:
        """An export without findings is well-formed: a reader may be waiting for it."""
        text = "".join(FORMATS[name].write([], PUBLICATION))

        if name in {"stix", "misp"}:
            assert json.loads(text)
        else:
            assert text == "" or text.endswith("\n")


class TestJsonLines:
    def test_follows_the_published_schema(self) -> None:
        """Each line is what docs/schemas/finding.schema.json says."""
        schema = json.loads((SCHEMAS / "finding.schema.json").read_text())

        lines = written("jsonl").splitlines()

        assert lines
        for line in lines:
            jsonschema.validate(json.loads(line), schema, jsonschema.Draft202012Validator)


class TestCsv:
    def test_no_cell_is_a_formula(self) -> None:
        """A spreadsheet shows a hostile reason as text."""
        rows = list(csv.DictReader(io.StringIO(written("csv"))))

        assert [row["ip"] for row in rows] == ["198.18.10.1", "2001:db8::10:1", "198.18.10.3"]
        assert rows[2]["reasons"].startswith("'=cmd")


class TestIntelMq:
    def test_fields_are_those_of_the_harmonisation(self) -> None:
        """IntelMQ's own classes take every field of an event."""
        from intelmq.lib import harmonization  # noqa: PLC0415  # slow to import

        spec = importlib.util.find_spec("intelmq")
        assert spec is not None
        assert spec.origin is not None
        rules = json.loads((Path(spec.origin).parent / "etc" / "harmonization.conf").read_text())
        for shown in findings():
            event = intelmq_event(shown, PUBLICATION)
            assert event.pop("__type") == "Event"
            for name, value in event.items():
                if not name.startswith("extra."):
                    kind = getattr(harmonization, rules["event"][name]["type"])
                    assert kind.is_valid(value), name


class TestStix:
    def test_validates(self) -> None:
        """OASIS's validator minds only that the names are made from the evidence, not by chance."""
        options = stix2validator.ValidationOptions(version="2.1")

        found = stix2validator.validate_string(written("stix"), options)

        assert found.is_valid
        assert [text for text in found.warnings if "is not a valid UUIDv4" not in text] == []

    def test_is_reproducible(self) -> None:
        """The same evidence makes the same objects, so that a second import adds nothing."""
        assert written("stix") == written("stix")


class TestMisp:
    def test_objects_follow_their_template(self) -> None:
        """PyMISP reads the event, and each object has the fields of the template it names."""
        event = MISPEvent()
        event.load(written("misp"))

        assert len(event.objects) == 3
        for read in event.objects:
            template = read._definition
            assert template is not None
            assert template["uuid"] == read.template_uuid
            for attribute in read.attributes:
                rule = template["attributes"][attribute.object_relation]
                assert attribute.type == rule["misp-attribute"]


def looked_up(folder: Path, table: str) -> dict[str, str]:
    """Ask postmap for the listed addresses and for two others; return what it finds."""
    (folder / "main.cf").write_text("compatibility_level = 3.6\nmyhostname = mx.test\n")
    os.utime(folder / "main.cf", (0, 0))  # Postfix waits two seconds for a file just written
    (folder / "bots").write_text(table)
    keys = [*(str(shown.address) for shown in findings()), "198.18.10.2", "2001:db8::10:2"]
    done = subprocess.run(
        [program("postmap"), "-c", str(folder), "-q", "-", f"cidr:{folder}/bots"],
        input="\n".join(keys) + "\n",
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    assert done.stderr == ""
    return dict(line.split("\t", maxsplit=1) for line in done.stdout.splitlines())


class TestPostfix:
    @pytest.mark.parametrize(
        ("action", "answer"),
        [
            ("reject", "REJECT Listed as a bot: "),
            ("discard", "DISCARD listed"),
            ("hold", "HOLD listed"),
            ("defer", "DEFER_IF_PERMIT Listed"),
            ("warn", "WARN listed"),
            ("dunno", "DUNNO"),
            ("filter:smtp:[127.0.0.1]:10025", "FILTER smtp:[127.0.0.1]:10025"),
        ],
    )
    def test_postmap_finds_the_action(self, tmp_path: Path, action: str, answer: str) -> None:
        """Postfix's own look-up gives the chosen action for a listed address."""
        found = looked_up(tmp_path, written("postfix", action=action))

        assert set(found) == {str(shown.address) for shown in findings()}
        assert all(text.startswith(answer) for text in found.values())

    def test_postscreen_rejects(self, tmp_path: Path) -> None:
        """The list of postscreen knows only permit, reject and dunno."""
        found = looked_up(tmp_path, written("postscreen"))

        assert set(found.values()) == {"reject"}
        assert len(found) == 3

    @pytest.mark.parametrize("action", ["permit", "filter:x", "reject\nwarn", "filter:a:b c"])
    def test_other_actions_are_refused(self, action: str) -> None:
        """An action that Postfix would misread never reaches its table."""
        with pytest.raises(InputError, match="is not one of reject"):
            written("postfix", action=action)


@pytest.mark.lab
class TestNftables:
    def test_nft_loads_the_sets(self, tmp_path: Path) -> None:
        """The program nft takes the file twice over, and the elements go out when they expire."""
        script = tmp_path / "bots.nft"
        script.write_text(written("nftables"))
        nft = program("nft")
        private = ("unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), "--net", "--")

        run(*private, nft, "-c", "-f", str(script))
        listing = f"{nft} -f {script} && {nft} -f {script} && {nft} -j list ruleset"
        found = json.loads(run(*private, "sh", "-c", listing))

        sets = {item["set"]["name"]: item["set"] for item in found["nftables"] if "set" in item}
        [element] = sets["bots6"]["elem"]
        assert element["elem"]["val"] == "2001:db8::10:1"
        assert element["elem"]["timeout"] == 13 * 86_400
        assert len(sets["bots4"]["elem"]) == 2

    def test_the_expired_are_left_out(self) -> None:
        """A timeout of zero would mean for ever."""
        past = [replace(finding("198.18.10.1"), expires=NOON)]

        assert "198.18.10.1" not in "".join(FORMATS["nftables"].write(past, PUBLICATION))


@pytest.fixture
def rbldnsd(tmp_path: Path) -> Iterator[int]:
    """A running rbldnsd with the zone of the examples; its port on loopback."""
    (tmp_path / "zone").write_text(written("rbldnsd"))
    tmp_path.chmod(0o755)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    server = subprocess.Popen(
        [
            *(program("rbldnsd"), "-n", "-f", *user, "-b", f"127.0.0.1/{port}"),
            *("-w", str(tmp_path), "bots.example:combined:zone"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        server.terminate()
        server.wait(5)


def asked(port: int, address: str, kind: str = "A") -> list[str]:
    """Ask the list about an address as a mail server does."""
    reversed_name = dns.reversename.from_address(address)
    labels = reversed_name.labels[:-3]
    name = dns.name.Name([*labels, b"bots", b"example", b""])
    query = dns.message.make_query(name, kind)
    deadline = time.monotonic() + 10
    while True:
        try:
            answer = dns.query.udp(query, "127.0.0.1", port=port, timeout=0.5)
        except (OSError, dns.exception.Timeout):
            assert time.monotonic() < deadline, "rbldnsd does not answer"
            continue
        return [str(item) for records in answer.answer for item in records]


class TestRbldnsd:
    def test_answers_as_a_block_list(self, rbldnsd: int) -> None:
        """Listed addresses give 127.0.0.2 and the evidence, others nothing (RFC 5782)."""
        for shown in findings():
            assert asked(rbldnsd, str(shown.address)) == ["127.0.0.2"]
            [text] = asked(rbldnsd, str(shown.address), "TXT")
            assert shown.evidence_id in text
        assert asked(rbldnsd, "198.18.10.2") == []
        assert asked(rbldnsd, "2001:db8::10:2") == []

    def test_has_the_test_entries(self, rbldnsd: int) -> None:
        """127.0.0.2 is listed and 127.0.0.1 is not, in both address families."""
        assert asked(rbldnsd, "127.0.0.2") == ["127.0.0.2"]
        assert asked(rbldnsd, "127.0.0.1") == []
        assert asked(rbldnsd, "::ffff:7f00:2") == ["127.0.0.2"]
        assert asked(rbldnsd, "::ffff:7f00:1") == []

    @pytest.mark.parametrize("zone", ["", "a..b", "bots.example\n$TTL 1", "x y", "-a.example"])
    def test_a_zone_has_a_proper_name(self, zone: str) -> None:
        """A name that would write other lines into the file is refused."""
        for name in ("rbldnsd", "rpz"):
            with pytest.raises(InputError, match="name of a zone"):
                written(name, zone=zone)


class TestPolicyZone:
    def test_named_checkzone_loads_it(self, tmp_path: Path) -> None:
        """BIND's checker takes the zone and counts its serial."""
        zone = tmp_path / "zone"
        zone.write_text(written("rpz"))

        found = run(program("named-checkzone"), "bots.example", str(zone))

        assert f"loaded serial {int(PUBLICATION.made.timestamp())}" in found

    @pytest.mark.parametrize(
        ("address", "trigger"),
        [
            ("198.18.10.1", "32.1.10.18.198.rpz-ip"),
            ("2001:db8::10:1", "128.1.10.zz.db8.2001.rpz-ip"),
            ("2001:db8::", "128.zz.db8.2001.rpz-ip"),
            ("::1", "128.1.zz.rpz-ip"),
            ("2001:db8:1:1:1:1:1:1", "128.1.1.1.1.1.1.db8.2001.rpz-ip"),
        ],
    )
    def test_triggers(self, address: str, trigger: str) -> None:
        """Prefix length, then the address backwards; ``zz`` stands for the run of zeros."""
        assert botprobe.export.dnszones._trigger(ip_address(address)) == trigger


class TestSignature:
    def test_nobody_reports_anonymously(self) -> None:
        """Without organisation and contact no abuse report is made."""
        with pytest.raises(ConfigError, match=r"export\.organisation"):
            _ = replace(PUBLICATION, contact=None).signature

    def test_expiry_counts_from_the_last_look(self) -> None:
        """A finding holds until its expiry and not a second longer."""
        shown = finding("198.18.10.1")

        assert shown.seconds_left(shown.expires - timedelta(seconds=1)) == 1
        assert shown.seconds_left(shown.expires + timedelta(days=1)) == 0
