"""Files as they are found: rotated, compressed, growing; read by one process or by several."""

import bz2
import gzip
import lzma
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from botprobe.errors import InputError, UsageError
from botprobe.observers.maillog import files
from botprobe.observers.maillog.calendar import HolidayCalendar, read_holidays
from botprobe.observers.maillog.files import CHUNK_BYTES, Piece, chunks, pieces, split_long_lines
from botprobe.observers.maillog.follow import Growing, LogFollower, PipeFollower, rounds
from botprobe.observers.maillog.reader import ReadOptions, Workers, read_logs
from botprobe.observers.maillog.tally import LogTally
from botprobe.observers.maillog.zstd import is_whole
from tests.observers.maillog.published import FIRST
from tests.observers.maillog.synthetic import Day, Visit, postfix_lines

DAY = Day(FIRST, (Visit(client="192.0.2.1", accepted=4_000, refused=4_000, idle=4_000),))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log of more than two mebibytes."""
    path = tmp_path / "mail.log"
    path.write_text("".join(postfix_lines([DAY])), encoding="ascii")
    assert path.stat().st_size > 2 * CHUNK_BYTES
    return path


def _read(path: Path, jobs: int = 1) -> LogTally:
    tally = LogTally()
    read_logs([path], ReadOptions(first_year=2003, jobs=jobs), tally)
    return tally


class TestReading:
    @pytest.mark.parametrize(
        ("suffix", "pack"),
        [
            (".gz", gzip.compress),
            (".bz2", bz2.compress),
            (".xz", lzma.compress),
            (".zst", zstandard.compress),
        ],
    )
    def test_reads_packed_files(
        self, log: Path, suffix: str, pack: Callable[[bytes], bytes]
    ) -> None:
        """A packed log says what the plain one says."""
        packed = log.with_name(f"mail.log.1{suffix}")
        packed.write_bytes(pack(log.read_bytes()))

        assert _read(packed).hours == _read(log).hours

    def test_workers_count_what_one_process_counts(self, log: Path) -> None:
        """The parts of a file can be counted by several processes."""
        alone, together = _read(log), _read(log, jobs=2)

        assert together.hours == alone.hours
        assert sum(hour.connects for hour in alone.hours.values()) == DAY.connects

    def test_pieces_are_whole_lines_and_cover_the_file(self, log: Path) -> None:
        """No line is cut, lost or read twice."""
        parts = [piece.read() for piece in pieces(log)]

        assert b"".join(parts) == log.read_bytes()
        assert all(part.endswith(b"\n") for part in parts)

    def test_an_endless_line_is_cut(self, tmp_path: Path) -> None:
        """A file without line feeds is read in bounded chunks."""
        path = tmp_path / "mail.log"
        path.write_bytes(b"x" * (5 * CHUNK_BYTES))

        assert max(len(chunk) for chunk in chunks(path)) <= 2 * CHUNK_BYTES

    @pytest.mark.parametrize("jobs", [1, 2])
    @pytest.mark.parametrize(
        ("suffix", "pack"),
        [
            (".gz", gzip.compress),
            (".bz2", bz2.compress),
            (".xz", lzma.compress),
            (".zst", zstandard.compress),
        ],
    )
    def test_damage_ends_one_file_only(
        self, log: Path, suffix: str, pack: Callable[[bytes], bytes], jobs: int
    ) -> None:
        """What stands before it counts, as do the files before and behind."""
        cut = log.with_name(f"cut{suffix}")
        cut.write_bytes(pack(log.read_bytes())[:-2_000])
        whole = sum(hour.connects for hour in _read(log).hours.values())
        tally = LogTally()

        notes = read_logs([cut, log, cut, log], ReadOptions(first_year=2003, jobs=jobs), tally)

        connects = sum(hour.connects for hour in tally.hours.values())
        assert 2 * whole < connects < 4 * whole
        assert (notes.files, notes.unreadable, len(notes.damaged)) == (4, 0, 2)
        assert f"cut{suffix}" in notes.damaged[0]

    @pytest.mark.parametrize(
        "name", ["missing.log", "broken.gz", "broken.xz", "broken.bz2", "broken.zst", "a folder"]
    )
    def test_what_cannot_be_read_is_noted(self, tmp_path: Path, log: Path, name: str) -> None:
        """A missing or damaged file is told in one line, and the others are read."""
        path, tally = tmp_path / name, LogTally()
        if name.startswith("broken"):
            path.write_bytes(b"\x1f\x8b\x08 damaged")
        elif name != "missing.log":
            path.mkdir()

        notes = read_logs([path, log], ReadOptions(first_year=2003), tally)

        assert tally.hours == _read(log).hours
        assert (notes.files, notes.unreadable) == (2, 1)
        assert [name in line for line in notes.damaged] == [True]

    def test_a_file_that_vanishes_spoils_no_other(self, log: Path) -> None:
        """What workers had counted of it is not taken for the next one's."""
        gone = log.with_name("gone.log")
        gone.write_bytes(log.read_bytes())
        parts = iter([*pieces(gone)])

        def vanishing() -> Iterator[Piece]:
            yield next(parts)
            gone.unlink()
            yield from parts

        with closing(Workers(ReadOptions(jobs=2))) as workers:
            with pytest.raises(InputError, match="gone"):
                list(workers.count(vanishing()))
            counted = [events for part in workers.count(pieces(log)) for events in part]

        assert sum(len(events.connects) for events in counted) == DAY.connects


class TestIsWholeZst:
    @given(
        st.lists(st.binary(max_size=300) | st.just(b"x" * 1_000), min_size=1, max_size=3),
        st.booleans(),
        st.data(),
    )
    def test_knows_every_cut(self, texts: list[bytes], checked: bool, data: st.DataObject) -> None:
        """A file of several frames is whole at the end of each, and nowhere else."""
        packer = zstandard.ZstdCompressor(write_checksum=checked)
        frames = [packer.compress(text) for text in texts]
        frames.insert(1, b"\x53\x2a\x4d\x18\x05\0\0\0extra")
        ends = {sum(map(len, frames[:number])) for number in range(len(frames) + 1)}
        whole = b"".join(frames)
        cut = data.draw(st.integers(0, len(whole)))

        with NamedTemporaryFile() as file:
            file.write(whole[:cut])
            file.flush()
            assert is_whole(Path(file.name)) == (cut in ends)

    def test_many_blocks(self, tmp_path: Path) -> None:
        """A long frame has a block for each 128 KiB."""
        path = tmp_path / "x.zst"
        packed = zstandard.compress(os.urandom(1_000_000))
        path.write_bytes(packed)
        assert is_whole(path)

        path.write_bytes(packed[:-1])
        assert not is_whole(path)


class TestSplitLongLines:
    @given(st.lists(st.integers(1, 40), max_size=30), st.booleans())
    def test_long_lines_only_are_taken_out(self, sizes: list[int], whole: bool) -> None:
        """Every other line stays as it is, wherever it stands."""
        lines = [b"%d" % (size % 10) * (size - 1) + b"\n" for size in sizes]
        if lines and not whole:
            lines[-1] = lines[-1].strip() or b"x"

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "MAX_LINE_BYTES", 16)
            kept, heads = split_long_lines(b"".join(lines))

        assert kept == b"".join(line for line in lines if len(line) <= 16)
        assert len(heads) == sum(len(line) > 16 for line in lines)

    @pytest.mark.parametrize("suffix", ["", ".gz"])
    @pytest.mark.parametrize("size", [CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
    @pytest.mark.parametrize("before", [0, 3, CHUNK_BYTES - 9])
    def test_the_limit_is_the_same_everywhere(
        self, tmp_path: Path, before: int, size: int, suffix: str
    ) -> None:
        """Where in a file a line stands, and how the file is packed, makes no difference."""
        path = tmp_path / f"mail.log{suffix}"
        text = b"\n" * before + b"x" * (size - 1) + b"\n" + b"y\n"
        path.write_bytes(gzip.compress(text, 1) if suffix else text)
        tally = LogTally()

        read_logs([path], ReadOptions(), tally)

        assert tally.lines == before + 2
        assert tally.unread.too_long == (size > CHUNK_BYTES)


class TestLogFollower:
    def _following(self, path: Path, *steps: Callable[[], object]) -> list[bytes]:
        """Follow a file; whenever nothing comes, the next step happens; after the last, end."""
        waiting = list(steps)
        got = []
        with closing(LogFollower(path)) as log:
            while True:
                if chunk := log.take():
                    got.append(chunk)
                elif waiting:
                    waiting.pop(0)()
                else:
                    return got

    def test_yields_what_is_appended(self, tmp_path: Path) -> None:
        """Only whole lines come, however they were written."""
        path = tmp_path / "mail.log"
        path.write_bytes(b"one\ntw")

        def append() -> None:
            with path.open("ab") as file:
                file.write(b"o\nthree\n")

        assert self._following(path, append) == [b"one\n", b"two\nthree\n"]

    def test_follows_a_rotation(self, tmp_path: Path) -> None:
        """After a rename the rest of the old file comes, then the new one."""
        path = tmp_path / "mail.log"
        path.write_bytes(b"one\n")

        def rotate() -> None:
            path.rename(tmp_path / "mail.log.1")
            with (tmp_path / "mail.log.1").open("ab") as old:
                old.write(b"two\n")
            path.write_bytes(b"three\n")

        assert self._following(path, rotate) == [b"one\n", b"two\n", b"three\n"]

    def test_waits_for_a_file_that_vanished(self, tmp_path: Path) -> None:
        """Between a rename and the new file nothing is lost, and nothing read twice."""
        path = tmp_path / "mail.log"
        path.write_bytes(b"one\n")
        old = tmp_path / "mail.log.1"

        got = self._following(
            path,
            lambda: path.rename(old),
            lambda: old.write_bytes(b"one\ntwo\n"),
            path.mkdir,
            path.rmdir,
            lambda: path.write_bytes(b"three\n"),
        )

        assert got == [b"one\n", b"two\n", b"three\n"]

    def test_follows_a_truncation(self, tmp_path: Path) -> None:
        """A file that was copied and emptied is read from its start, without the torn line."""
        path = tmp_path / "mail.log"
        path.write_bytes(b"one long line\ntorn")

        assert self._following(path, lambda: path.write_bytes(b"two\n")) == [
            b"one long line\n",
            b"two\n",
        ]

    def test_an_endless_line_is_cut(self, tmp_path: Path) -> None:
        """A file without line feeds is taken in bounded chunks."""
        path = tmp_path / "mail.log"
        path.write_bytes(b"x" * (5 * CHUNK_BYTES))

        assert 0 < max(map(len, self._following(path))) <= 2 * CHUNK_BYTES

    def test_an_endless_line_is_one_line(self, tmp_path: Path) -> None:
        """Of its rest nothing comes; what follows it does."""
        path = tmp_path / "mail.log"
        path.write_bytes(b"one\n" + b"x" * (5 * CHUNK_BYTES) + b"\ntwo\n")

        parts = [split_long_lines(part) for part in self._following(path)]

        assert b"".join(lines for lines, _ in parts) == b"one\ntwo\n"
        assert sum(len(heads) for _, heads in parts) == 1

    def test_a_missing_file_is_an_input_error(self, tmp_path: Path) -> None:
        """What is not there at the start cannot be followed."""
        with pytest.raises(InputError, match="nowhere"):
            LogFollower(tmp_path / "nowhere")


class TestPipeFollower:
    def test_takes_whole_lines_until_the_writer_leaves(self) -> None:
        """An open pipe has nothing for now, a closed one gives its rest and ends."""
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as pipe:
            log = PipeFollower(pipe)
            os.write(writing, b"one\ntw")
            got = [log.take(), log.take()]
            os.write(writing, b"o\nthree")
            os.close(writing)
            got += [log.take(), log.take(), log.take()]

        assert got == [b"one\n", b"", b"two\n", b"three", None]


class TestRounds:
    def test_end_when_one_log_has_ended(self) -> None:
        """Who goes on without one of the logs would see half; what the others have is taken."""

        class Log:
            def __init__(self, *chunks: bytes | None) -> None:
                self._chunks = list(chunks)

            def take(self) -> bytes | None:
                return self._chunks.pop(0) if self._chunks else b""

        ended, got = Log(b"a\n", None), list[bytes]()
        logs = [Growing(ended, got.append), Growing(Log(b"b\n", b"c\n", b"d\n"), got.append)]

        came = list(rounds(logs))

        assert got == [b"a\n", b"b\n", b"c\n", b"d\n"]
        assert came == [True, True, True, False]


class TestHolidayCalendar:
    def test_knows_weekends_and_listed_days(self, tmp_path: Path) -> None:
        """A file of dates adds to Saturdays and Sundays."""
        path = tmp_path / "holidays"
        path.write_text("# closed\n2026-11-24  # founder's day\n", encoding="utf-8")

        calendar = HolidayCalendar(read_holidays(path))

        days = [FIRST.replace(year=2026, month=11, day=number) for number in (21, 22, 23, 24)]
        assert [calendar.is_holiday(day) for day in days] == [True, True, False, True]

    def test_knows_a_country(self) -> None:
        """3 November is a holiday in Japan and a Monday in 2025."""
        day = FIRST.replace(year=2025, month=11, day=3)

        assert HolidayCalendar(country="jp").is_holiday(day)
        assert not HolidayCalendar().is_holiday(day)

    def test_refuses_what_is_no_date(self, tmp_path: Path) -> None:
        """A typing error is named with its line."""
        path = tmp_path / "holidays"
        path.write_text("2026-11-31\n", encoding="utf-8")

        with pytest.raises(InputError, match="line 1"):
            read_holidays(path)

    def test_refuses_an_unknown_country(self) -> None:
        """A country without a calendar is a wrong option, told before anything is read."""
        with pytest.raises(UsageError, match="xx"):
            HolidayCalendar(country="xx")
