"""Tests of the labelled crowd: drawn alike from one seed, valid, and written down as it is."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from botprobe.classify.truth import read_labels
from tests.lab import osdb, population
from tests.lab.crowd import KINDS, Catalogue, Dealer, Member
from tests.lab.crowdfiles import CANARIES, write_crowd

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The installed nmap's entries."""
    try:
        return Catalogue.of(osdb.load())
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def members(catalogue: Catalogue) -> list[Member]:
    """A small crowd."""
    return Dealer(catalogue, seed=7).deal(400)


class TestDealer:
    def test_the_same_seed_gives_the_same_crowd(
        self, catalogue: Catalogue, members: list[Member]
    ) -> None:
        """A figure can be measured again."""
        assert Dealer(catalogue, seed=7).deal(400) == members
        assert Dealer(catalogue, seed=8).deal(400) != members

    def test_every_kind_is_there(self, members: list[Member]) -> None:
        """No kind is rounded away, and none is dealt twice its share."""
        counts = Counter(member.truth for member in members)

        assert len(counts) == len(KINDS)
        assert counts.total() == 400
        assert sum(member.is_bot for member in members) == pytest.approx(196, abs=4)

    def test_only_bots_can_be_detected(self, members: list[Member]) -> None:
        """The recall is measured on bots, and on those with an open port."""
        found = [member for member in members if member.detectable]

        assert found
        assert all(member.is_bot and member.host.open for member in found)

    def test_mail_servers_listen_on_25(self, members: list[Member]) -> None:
        """Whoever is called a mail server is one."""
        servers = [member for member in members if member.truth.startswith("mail-")]

        assert all(25 in member.host.open for member in servers)


class TestWriteCrowd:
    def test_the_laboratory_reads_what_was_drawn(
        self, tmp_path: Path, members: list[Member]
    ) -> None:
        """The population is valid, and each host in it is the one that was drawn."""
        write_crowd(tmp_path, members, NOW)
        read = population.load(tmp_path / "population.toml")

        assert [host for host in read.hosts if host.addresses[0] not in CANARIES] == [
            member.host for member in members
        ]

    def test_labels_and_mails_are_those_of_the_members(
        self, tmp_path: Path, members: list[Member]
    ) -> None:
        """Verdicts are scored against the truth of the same host."""
        write_crowd(tmp_path, members, NOW)
        labels = read_labels((tmp_path / "labels.csv").read_text("utf-8"))
        mails = sorted((tmp_path / "maildir" / "new").iterdir())

        assert [labels[member.address].kind for member in members] == [
            member.truth for member in members
        ]
        assert len(mails) == len(members)
        assert all(
            f"[{member.address}]" in mail.read_text("utf-8")
            for mail, member in zip(mails, members, strict=True)
        )
