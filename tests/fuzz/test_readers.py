"""What ``scripts/fuzz`` begins with, and some of what it would find."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import READERS
from tests.fuzz.seeds import seeds_of

# Cuts of an honest input and rubbish reach more than rubbish alone.
PIECES = st.tuples(st.integers(0, 3), st.integers(0, 2000), st.binary(max_size=40))


@pytest.mark.parametrize("reader", READERS)
class TestReaders:
    def test_reads_its_seeds(self, reader: str, tmp_path: Path) -> None:
        """Fuzzing begins where each parser finds what it understands."""
        seeds_of(reader, tmp_path)
        seeds = sorted(tmp_path.iterdir())

        assert seeds
        for seed in seeds:
            READERS[reader](seed.read_bytes())

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    @given(pieces=st.lists(PIECES, max_size=4))
    def test_anything_is_read_or_refused(
        self, reader: str, tmp_path: Path, pieces: list[tuple[int, int, bytes]]
    ) -> None:
        """No input raises what its parser does not promise."""
        seeds_of(reader, tmp_path)
        seeds = [path.read_bytes() for path in sorted(tmp_path.iterdir())]

        READERS[reader](b"".join(seeds[n % len(seeds)][:cut] + junk for n, cut, junk in pieces))


def test_all_readers_have_seeds(tmp_path: Path) -> None:
    """Also the one of mails, whose function stands elsewhere."""
    seeds_of("headers", tmp_path)

    assert len(list(tmp_path.iterdir())) > 20
