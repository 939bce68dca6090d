"""The sample mailbox says what it promises: every hop, its trust, and whom the laboratory knows."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from botprobe.config import load_settings
from botprobe.intake.message import read_mail
from botprobe.model.mail import Hop, Trust
from botprobe.model.verdict import Label
from botprobe.scoping import trust_settings
from tests.lab.population import RANGES, Host, load

SAMPLES = Path(__file__).parents[1] / "maildir_samples"
CONFIG = SAMPLES / "botprobe.toml"

_ADDRESS = re.compile(
    rb"(?<![0-9a-z.])(?:(?=[0-9a-f:]*::)[0-9a-f:.]{2,45}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.]))",
    re.IGNORECASE,
)
_DOMAIN = re.compile(rb"@([a-z0-9.-]+\.[a-z]+)|https?://([a-z0-9.-]+)", re.IGNORECASE)
_RESERVED_DOMAIN = re.compile(r"(?:[a-z0-9-]+\.)+(?:example|test|invalid)", re.IGNORECASE)
# No top-level domain: one provider's Message-IDs end in it, and nothing else does.
_NO_DOMAIN = "phx.gbl"


@dataclass(frozen=True, slots=True)
class Sample:
    """A mail with what is expected of it."""

    name: str
    mail: Path
    expected: Mapping[str, Any]


def _samples() -> tuple[Sample, ...]:
    return tuple(
        Sample(path.stem, _mails()[path.stem], json.loads(path.read_text("utf-8")))
        for path in sorted((SAMPLES / "expected").iterdir())
        if path.stem in _mails()
    )


def _mails() -> dict[str, Path]:
    """Each mail by its unique name: what stands before the flags of a Maildir."""
    folders = (SAMPLES / "new", SAMPLES / "cur")
    return {path.name.partition(":")[0]: path for folder in folders for path in folder.iterdir()}


def _addresses(data: bytes) -> set[IPv4Address | IPv6Address]:
    found = {ip_address(match.decode()) for match in _ADDRESS.findall(data)}
    return {(ip.version == 6 and ip.ipv4_mapped) or ip for ip in found}


def _inhabitants() -> dict[str, Host]:
    return {str(address): host for host in load().hosts for address in host.addresses}


def _shown(hop: Hop) -> dict[str, object]:
    return {
        "index": hop.index,
        "status": hop.status,
        "ip": str(hop.ip) if hop.ip else None,
        "helo": hop.helo,
        "rdns": hop.rdns,
        "by": hop.by,
        "trust": hop.trust,
    }


every_sample = pytest.mark.parametrize("sample", _samples(), ids=lambda sample: sample.name)


class TestMailbox:
    def test_each_mail_has_an_expectation_and_each_expectation_a_mail(self) -> None:
        """Nothing is shown without saying what should come out of it."""
        expected = {path.stem for path in (SAMPLES / "expected").iterdir()}

        assert expected == _mails().keys()
        assert len(expected) >= 30

    def test_is_a_valid_maildir(self) -> None:
        """Unread mails bear no flags, read ones do, and no file is left half-delivered."""
        new, cur = ([p.name for p in (SAMPLES / name).iterdir()] for name in ("new", "cur"))

        assert all(re.fullmatch(r"[0-9]+\.[a-z0-9-]+\.trap", name) for name in new)
        assert all(re.fullmatch(r"[0-9]+\.[a-z0-9-]+\.trap:2,[A-Z]*", name) for name in cur)
        assert [path.name for path in (SAMPLES / "tmp").iterdir()] == [".gitkeep"]

    def test_covers_the_field(self) -> None:
        """At least twelve writers, from 2003 to 2026."""
        writers = {sample.expected["writer"].split()[0] for sample in _samples()} - {"none"}
        years = {sample.expected["year"] for sample in _samples()}

        assert len(writers) >= 12
        assert {2003, 2026} <= years <= set(range(2003, 2027))

    @every_sample
    def test_names_nobody_real(self, sample: Sample) -> None:
        """Addresses come from the laboratory's ranges, domains from RFC 2606."""
        data = sample.mail.read_bytes()
        domains = {(a or b).decode() for a, b in _DOMAIN.findall(data)} - {_NO_DOMAIN}

        strangers = {ip for ip in _addresses(data) if not any(ip in net for net in RANGES)}

        assert not strangers
        assert [name for name in domains if not _RESERVED_DOMAIN.fullmatch(name)] == []


class TestExpectation:
    @every_sample
    def test_is_what_intake_reads(self, sample: Sample) -> None:
        """Each hop, its trust and the source are as the writer's own format says."""
        trust = trust_settings(load_settings(CONFIG, {}, {}))

        mail = read_mail(sample.mail.read_bytes(), sample.name, trust)

        assert [_shown(hop) for hop in mail.hops] == sample.expected["hops"]
        assert mail.boundary.basis == sample.expected["basis"]
        assert (str(mail.source_ip) if mail.source_ip else None) == sample.expected["source_ip"]

    @every_sample
    def test_names_every_outside_address(self, sample: Sample) -> None:
        """The source and all hops below it are either asked or refused, nobody else is."""
        outside = {Trust.BOUNDARY, Trust.CLAIMED, Trust.FORGED, Trust.SYNTHETIC}
        named = {hop["ip"] for hop in sample.expected["hops"] if hop["trust"] in outside}

        assert sample.expected["targets"].keys() == named

    @every_sample
    def test_agrees_with_the_population(self, sample: Sample) -> None:
        """A target lives in the laboratory under the same label; a refused one is a stranger."""
        inhabitants = _inhabitants()

        for address, target in sample.expected["targets"].items():
            assert inhabitants[address].label == target["label"]
            assert (target["refused"] is None) == (target["label"] != Label.NOT_PROBED)


class TestPopulation:
    def test_has_an_honest_label_and_a_truth_for_each_host(self) -> None:
        """Labels are botprobe's own, and never say bot of what is none."""
        for host in load().hosts:
            assert host.label in set(Label)
            assert host.truth
            assert host.label != Label.BOT or host.truth == "bot"

    def test_has_the_canaries_of_the_configuration(self) -> None:
        """The laboratory and the samples' settings mean the same canaries and name server."""
        settings, lab = load_settings(CONFIG, {}, {}), load().settings

        assert settings.canary.hosts == tuple(str(address) for address in lab.canaries)
        assert settings.dns.nameservers == (str(lab.dns),)
        assert all(
            _inhabitants()[address].label == Label.MAIL_SERVER for address in settings.canary.hosts
        )
