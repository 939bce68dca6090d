"""Writes the seeds of the fuzzer: the lines of the writers, as messages and bare."""

import sys
from pathlib import Path

from tests.intake.corpus import RECEIVED, load_cases
from tests.intake.writerlines import LINES


def main(folder: Path) -> None:
    """Fill the folder; lines of the test material are added where it is there."""
    values = list(LINES)
    if RECEIVED.is_dir():
        for name in ("sa_cases", "mta_template_cases", "adversarial_extra_cases"):
            values += [value for case in load_cases(name) for value in case["received"]]
    for number, value in enumerate(values):
        seed = value.encode("utf-8", "replace")[:4000]
        (folder / f"line-{number}").write_bytes(b"0" + seed)
        (folder / f"mail-{number}").write_bytes(
            b"1Received: " + seed.strip() + b"\nFrom: a@example.org\nSubject: x\n\nbody\n"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
