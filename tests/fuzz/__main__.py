"""Fuzz one parser: ``python -m tests.fuzz READER CORPUS [OPTION OF LIBFUZZER]…``."""

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped]  # it has none, and scripts/fuzz brings it

with atheris.instrument_imports(include=["botprobe", "aiosmtplib"]):
    from tests.fuzz.readers import READERS
    from tests.fuzz.seeds import seeds_of
    from tests.intake.fuzz_headers import check

reader, corpus = sys.argv[1], Path(sys.argv[2])
seeds_of(reader, corpus)
atheris.Setup(sys.argv[1:], {**READERS, "headers": check}[reader])
atheris.Fuzz()
