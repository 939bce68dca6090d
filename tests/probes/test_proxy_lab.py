"""The open-proxy check against real proxies, and against those that only look like one."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.lab.proxyabuse import HAS_DANTE, run_private

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]


def test_finds_all_that_is_open_and_nothing_else() -> None:
    """Squid, tinyproxy (which answers a POST with nothing), Dante, microsocks; no liar is open."""
    with TemporaryDirectory(prefix="botprobe-checks-") as name:
        Path(name).chmod(0o755)  # the proxies run as users of their own
        told = json.loads(run_private("tests.lab.proxychecks", name))

    assert told["open"] == {
        "squid": ["3128 http-connect", "3128 http-post"],
        "tinyproxy": ["8888 http-connect", "8888 http-post"],
        "dante": ["1080 socks4", "1080 socks5"] if HAS_DANTE else [],
        "microsocks": ["1080 socks5"],
        "yes": [],
        "echo": [],
        "tarpit": [],
    }
    assert told["opened"] == 1000
