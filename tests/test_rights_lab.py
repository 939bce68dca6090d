"""The set-ups of docs/safety.md, each in a network of its own that has only a loopback."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests run as nobody, who imports botprobe from here.
OTHERS_MAY_ENTER = all(one.stat().st_mode & 0o001 for one in Path(__file__).resolve().parents)

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not OTHERS_MAY_ENTER, reason="other users may not enter this folder"),
    pytest.mark.timeout(60),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives capabilities away"),
]

GROUP = 12345
NOBODY = ("--reuid=65534", "--regid=65534", "--clear-groups")
IN_GROUP = ("--reuid=65534", f"--regid={GROUP}", "--clear-groups")
AMBIENT = (*NOBODY, "--inh-caps=+net_raw", "--ambient-caps=+net_raw")
PROBE = """
import asyncio, sys
from botprobe.errors import ProbeUnavailable
from botprobe.probes.osdetect_nmap import require_raw_socket
try:
    asyncio.run(require_raw_socket(sys.argv[1]))
    print("raw")
except ProbeUnavailable as error:
    print(error)
"""


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    """Return a copy of nmap that one group may run, with the one capability that it needs."""
    # Not below tmp_path: each run of pytest closes the folders of all runs to other users.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        program = Path(folder) / "nmap"
        shutil.copy(shutil.which("nmap") or "", program)
        shutil.chown(program, "root", GROUP)
        program.chmod(0o750)
        subprocess.run(["/usr/sbin/setcap", "cap_net_raw+eip", program], check=True)
        yield program


def said(who: tuple[str, ...], program: object) -> str:
    """Return whether nmap may use a raw socket for somebody, or why not."""
    python = [sys.executable, "-c", PROBE, str(program)]
    alone = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    done = subprocess.run(
        [*alone, "setpriv", *who, *python], capture_output=True, text=True, check=False, timeout=50
    )
    return done.stdout.strip() or done.stderr


def test_root_and_systemd_may() -> None:
    """As root, or as anybody with the ambient capability of the units."""
    assert said((), "nmap") == "raw"
    assert said(AMBIENT, "nmap") == "raw"


def test_the_copy_is_for_its_group(copy: Path) -> None:
    """Who is in the group may; who is not cannot even run it."""
    assert said(IN_GROUP, copy) == "raw"
    assert said(NOBODY, copy) == "nmap cannot be run: Permission denied"


def test_nobody_may_not_and_is_told_so() -> None:
    """Without rights the answer is a reason, and no measurement."""
    assert said(NOBODY, "nmap").startswith("no raw socket: ")
