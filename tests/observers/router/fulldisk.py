"""Fills the file system of a sink; run as the first process of a private namespace."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.observers.router.test_sink import TEXT, played, send

_MAIL = TEXT + "buy\r\n" * 4_000


def fill(port: int, trap: Path) -> dict[str, Any]:
    """Send until a mail is refused; then make room."""
    kept = 0
    while (said := send(port, _MAIL)) == "kept":
        kept += 1
        if kept > 1_000:
            raise RuntimeError("it is never full")
    mails = list((trap / "new").iterdir())
    told = {
        "kept": kept,
        "refused": said,
        "sizes": [path.stat().st_size for path in mails],
        "left": [path.name for path in (trap / "tmp").iterdir()],
    }
    mails[0].unlink()
    return told | {"after": send(port, _MAIL)}


def main() -> None:
    """Print what became of the mails."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with TemporaryDirectory() as name:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "full", name], check=True)
        trap = Path(name) / "trap"
        print(json.dumps(played(lambda port: fill(port, trap), trap, 1 << 30)))
        subprocess.run(["umount", name], check=True)


if __name__ == "__main__":
    main()
