"""Who may read what botprobe writes."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """
[export]
organisation = "Example Trap"
contact = "noc@example.org"
[smtp]
helo_name = "probe.example.org"
[identity]
addresses = ["192.0.2.10"]
"""


def run(*arguments: str, umask: int, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line under a mask, with a state directory of its own."""
    return subprocess.run(
        [sys.executable, "-m", "botprobe", *arguments],
        capture_output=True,
        text=True,
        check=False,
        umask=umask,
        env={**os.environ, "XDG_STATE_HOME": str(home / "of" / "state")},
    )


def modes(folder: Path) -> dict[str, int]:
    """Return the rights of all that lies in a folder."""
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize(("umask", "file", "folder"), [(0, 0o640, 0o750), (0o077, 0o600, 0o700)])
def test_what_is_kept_is_not_for_others(tmp_path: Path, umask: int, file: int, folder: int) -> None:
    """Files 0640 and directories 0750 at most, those on the way included."""
    ended = run("store", "init", umask=umask, home=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert modes(tmp_path) == {
        "of": folder,
        "of/state": folder,
        "of/state/botprobe": folder,
        "of/state/botprobe/cases.sqlite": file,
    }


def test_what_is_published_is_for_all(tmp_path: Path) -> None:
    """A web server of another user serves the page and the file of RFC 9511."""
    (tmp_path / "c.toml").write_text(CONFIG)
    out = tmp_path / "www"
    ended = run(
        "identity", "-c", str(tmp_path / "c.toml"), "--out", str(out), umask=0o077, home=tmp_path
    )

    assert ended.returncode == 0, ended.stderr
    assert "10.2.0.192.in-addr.arpa. IN PTR probe.example.org." in ended.stdout
    assert modes(out) == {
        "index.html": 0o644,
        "records.zone": 0o644,
        ".well-known": 0o755,
        ".well-known/probing.txt": 0o644,
    }


def test_identity_asks_who_we_are(tmp_path: Path) -> None:
    """A page that names nobody is worse than none."""
    (tmp_path / "c.toml").write_text('[smtp]\nhelo_name = "probe.example.org"\n')

    ended = run("identity", "-c", str(tmp_path / "c.toml"), umask=0o022, home=tmp_path)

    assert ended.returncode == 3
    assert ended.stderr == (
        "botprobe: identity: set export.organisation and export.contact: who are you?\n"
    )
