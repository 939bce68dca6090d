"""Real proxies, abused: what the tracing says against what the victims' log knows."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from tests.lab.proxyabuse import SQUID, TINYPROXY, WAYS, run_private
from tests.lab.proxyscore import score

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

SESSIONS = 200


class Scene(NamedTuple):
    """What was captured, and the truth."""

    folder: Path
    told: dict[str, Any]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Have squid, tinyproxy, Dante and microsocks abused in a network of their own."""
    # Not below pytest's own folder, which squid's and Dante's users may not enter.
    with TemporaryDirectory(prefix="botprobe-abuse-") as name:
        yield _abused(Path(name))


def _abused(folder: Path) -> Scene:
    run_private("tests.lab.proxyabuse", str(folder), str(SESSIONS))
    return Scene(folder, json.loads((folder / "truth.json").read_text()))


def traced(path: Path, *options: str) -> dict[str, Any]:
    """Run the product on a capture or log."""
    done = subprocess.run(
        [sys.executable, "-m", "botprobe", "proxytrace", *options, str(path), "--json"],
        capture_output=True,
        check=True,
        timeout=100,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


class TestAbusedProxies:
    def test_attributes_every_session(self, scene: Scene) -> None:
        """Plain: all of them. Behind TLS: nine in ten, as a suspicion. No user is accused."""
        assert scene.told["done"] == scene.told["asked"] == SESSIONS + SESSIONS // 3
        document = traced(scene.folder / "abuse.pcap")
        plain = score(document, scene.told["truth"], hidden=False)
        hidden = score(document, scene.told["truth"], hidden=True)

        assert (plain.right, plain.precision, plain.recall) == (SESSIONS, 1.0, 1.0)
        assert hidden.precision >= 0.9
        assert hidden.recall >= 0.9
        assert {one["ip"].rpartition(".")[0] for one in document["origins"]} == {"198.18.10"}
        told = {one["proxy"]["ip"]: one["answer"] for one in document["traces"] if one["origin"]}
        assert told["198.18.20.5"] == "suspicion"
        assert {one["ip"] for one in document["proxies"]} == set(scene.told["proxies"])

    @pytest.mark.parametrize("log", ["squid-access.log", "tinyproxy.log"])
    def test_their_own_logs_tell_the_same(self, scene: Scene, log: str) -> None:
        """Each order that the programs logged is counted, and only spammers are named."""
        document = traced(scene.folder / log, "--log")

        proxy = {"squid-access.log": SQUID, "tinyproxy.log": TINYPROXY}[log]
        orders = [n for n in range(SESSIONS) if WAYS[n % len(WAYS)][0] == proxy]
        assert sum(one["orders"] for one in document["origins"]) == len(orders)
        assert {one["ip"].rpartition(".")[0] for one in document["origins"]} == {"198.18.10"}
        assert document["read"]["unread"] == 0
