"""The test material beside the checkout, and how well the reader does on it.

Tests and the benchmark share these scores, so that a figure in the documentation and a test that
guards it are counted by the same lines.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, NamedTuple

from botprobe.intake.message import read_mail
from botprobe.intake.networks import parse_networks
from botprobe.intake.received import parse_received
from botprobe.intake.trust import TrustSettings
from botprobe.model.mail import Hop, HopStatus, IpAddress, Mail, Trust

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
RECEIVED = DATA / "received"
MAILS = DATA / "mails"

FIELDS = ("ip", "helo", "rdns", "by")

# What the forged lines of the attack files name.
ATTACKERS = frozenset(("6.6.6.6", "8.8.8.8", "8.8.4.4", "203.0.113.77", "2001:db8::6"))

Case = dict[str, Any]


def load_cases(name: str) -> list[Case]:
    """The cases of one file of ``received/``."""
    document = json.loads((RECEIVED / f"{name}.json").read_text(encoding="utf-8"))
    cases: list[Case] = document["cases"]
    return cases


@dataclass(slots=True)
class Score:
    """Right answers by what was asked, and the identifiers of the wrong ones."""

    right: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, question: str, case: str, *, right: bool) -> None:
        """Count one answer."""
        self.asked[question] += 1
        self.right[question] += right
        if not right:
            self.wrong.append(f"{case}: {question}")

    def __str__(self) -> str:
        return ", ".join(f"{name} {self.right[name]}/{self.asked[name]}" for name in self.asked)


def score_fields(cases: list[Case]) -> Score:
    """Count the lines of which the address, HELO, reverse DNS and writer are right."""
    score = Score()
    for case in cases:
        for index, (value, expected) in enumerate(
            zip(case["received"], case["hops"], strict=False)
        ):
            hop = parse_received(value, index)
            if expected["status"] == "ignored":
                right = hop.status is HopStatus.IGNORED and hop.ip is None
                score.add("ignored", case["id"], right=right)
            elif expected["status"] == "parsed":
                _score_hop(score, case["id"], hop, expected.get("fields", {}))
    return score


def _score_hop(score: Score, case: str, hop: Hop, fields: Case) -> None:
    right = {name: _is_right(hop, name, fields) for name in FIELDS if name in fields}
    for name, answer in right.items():
        score.add(name, case, right=answer)
    if len(right) == len(FIELDS):
        score.add("all four", case, right=all(right.values()))


def _is_right(hop: Hop, name: str, fields: Case) -> bool:
    if name == "ip":
        return hop.ip == canonical(fields.get("ip_norm", fields["ip"]))
    return _name(getattr(hop, name)) == _name(fields[name])


def _name(text: str | None) -> str | None:
    """A name without the marks around a literal, which each source writes in its own way."""
    return (text or "").strip("[]!").rstrip(".").lower() or None


def canonical(text: str | None) -> IpAddress | None:
    """An address as the sources write it; None where it is none."""
    try:
        address = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def mail_of(case: Case) -> Mail:
    """Build a message of the case's header fields and read it."""
    fields = [("Received", value) for value in case["received"]] + case["other_headers"]
    text = "".join(f"{name}: {value.strip()}\n" for name, value in fields)
    return read_mail(f"{text}\nbody\n".encode(), case["id"], settings_of(case))


def settings_of(case: Case) -> TrustSettings:
    """The trust settings of a case."""
    config = case["config"] or {}
    return TrustSettings(
        trusted_networks=parse_networks(tuple(config.get("trusted_networks") or ())),
        internal_networks=parse_networks(tuple(config.get("internal_networks") or ())),
        msa_networks=parse_networks(tuple(config.get("msa_networks") or ())),
        own_hosts=frozenset(config.get("trusted_by", ())),
    )


def score_trust(cases: list[Case]) -> Score:
    """Count the hops that are trusted where SpamAssassin trusts them."""
    score = Score()
    for case in cases:
        if "Patricia-Failure" in case["flags"]:
            continue
        for hop, expected in zip(mail_of(case).hops, case["hops"], strict=True):
            trusted = expected["trust"] == "trusted"
            right = (hop.trust is Trust.OWN) == trusted
            score.add("trust", case["id"], right=right or hop.trust is Trust.SYNTHETIC)
    return score


def score_attacks(cases: list[Case]) -> Score:
    """Count the attacks that do not succeed, and those that name an address of the attacker."""
    score = Score()
    for case in cases:
        source = mail_of(case).source_ip
        score.add("right", case["id"], right=source in map(canonical, case["accept"]))
        score.add("not the attacker's", case["id"], right=str(source) not in ATTACKERS)
    return score


class Difference(NamedTuple):
    """A line of real mail that we and SpamAssassin read differently."""

    key: str
    """Hash of the mail and index of the line, so that nothing of the mail need be kept."""
    file: str
    ours: IpAddress | None
    theirs: IpAddress | None
    hop: Hop


class Comparison(NamedTuple):
    """Real mail as we and as SpamAssassin read it."""

    lines: int
    """Lines in which either found an address."""
    differences: list[Difference]


def compare_with_spamassassin() -> Comparison:
    """Read all mails of the corpus and compare each line's address."""
    lines, differences = 0, list[Difference]()
    for record, mail in _recorded_mails():
        theirs = {relay["line"]: canonical(relay["ip"]) for relay in record["relays"]}
        for hop in mail.hops:
            if hop.trust is Trust.SYNTHETIC:
                continue
            other = theirs.get(hop.index)
            lines += hop.ip is not None or other is not None
            if hop.ip != other:
                key = f"{record['sha256'][:16]}:{hop.index}"
                differences.append(Difference(key, record["file"], hop.ip, other, hop))
    return Comparison(lines, differences)


def all_mails() -> Iterator[Mail]:
    """All mails of the corpus."""
    return (mail for _, mail in _recorded_mails())


def _recorded_mails() -> Iterator[tuple[Case, Mail]]:
    for line in (MAILS / "relays.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        data = (MAILS / record["file"]).read_bytes()
        if hashlib.sha256(data).hexdigest() == record["sha256"]:
            yield record, read_mail(data, record["file"])
