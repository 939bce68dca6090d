"""Where mails are read from."""

import io
import os
import tracemalloc
from pathlib import Path

import pytest

from botprobe.intake.header import MAX_HEADER_BYTES
from botprobe.intake.sources import Source, Unreadable, read_sources

MBOX = b"""\
From s@example.net Mon Oct  5 09:12:44 2026
Subject: one

From here on, this is body.

From s@example.net Mon Oct  5 09:12:45 2026
Subject: two

body
"""


def write(path: Path, data: bytes = b"Subject: s\n\n") -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def files(*paths: Path) -> list[str]:
    """The names of all that was read."""
    return [source.file for source in read_sources([str(path) for path in paths])]


class TestReadSources:
    def test_a_maildir_is_new_and_cur(self, tmp_path: Path) -> None:
        """Mails under delivery, in tmp, are not read."""
        for name in ("cur/2:2,S", "new/1", "tmp/3", "cur/1:2,S"):
            write(tmp_path / name)

        assert files(tmp_path) == [
            str(tmp_path / name) for name in ("new/1", "cur/1:2,S", "cur/2:2,S")
        ]

    def test_a_directory_is_its_files_by_name(self, tmp_path: Path) -> None:
        """Hidden files and directories below are left out."""
        for name in ("b.eml", "a.eml", ".hidden", "below/c.eml"):
            write(tmp_path / name)

        assert files(tmp_path) == [str(tmp_path / "a.eml"), str(tmp_path / "b.eml")]

    def test_an_mbox_is_its_messages(self, tmp_path: Path) -> None:
        """The word From in a body is no message, and each one has a number."""
        path = write(tmp_path / "inbox", MBOX)

        first, second = read_sources([str(path)])

        assert isinstance(first, Source)
        assert isinstance(second, Source)
        assert (first.file, second.file) == (f"{path}:1", f"{path}:2")
        assert first.data.startswith(b"From s@example.net")
        assert b"this is body" in first.data
        assert second.data.startswith(b"Subject: two")

    def test_one_message_with_the_line_of_an_mbox_is_a_file(self, tmp_path: Path) -> None:
        """It keeps its plain name."""
        path = write(tmp_path / "one", MBOX.partition(b"\n\nFrom s")[0])

        assert files(path) == [str(path)]

    @pytest.mark.parametrize("body", [0, 65_000, 1_048_000, 3_000_000])
    def test_messages_are_found_across_the_chunks_that_are_read(
        self, tmp_path: Path, body: int
    ) -> None:
        """However long a message is, the next one begins behind it."""
        separator = b"\nFrom s@example.net Mon Oct  5 09:12:44 2026\n"
        messages = [separator + b"Subject: %d\n\n" % number + b"x" * body for number in range(5)]
        path = write(tmp_path / "inbox", b"\n".join(messages)[1:])

        sources = list(read_sources([str(path)]))

        assert len(sources) == 5
        assert all(
            isinstance(source, Source) and b"Subject: %d\n" % number in source.data
            for number, source in enumerate(sources)
        )

    def test_standard_input(self) -> None:
        """A lone dash is what comes in."""
        stream = io.BytesIO(b"Subject: s\n\n")

        assert list(read_sources(["-"], stream)) == [Source("-", b"Subject: s\n\n")]

    def test_a_long_message_costs_no_more_than_its_beginning(self, tmp_path: Path) -> None:
        """Of a gigabyte only the header is read."""
        path = tmp_path / "long.eml"
        with path.open("wb") as stream:
            stream.write(b"Subject: s\n\n")
            stream.truncate(1 << 30)
        tracemalloc.start()

        (source,) = read_sources([str(path)])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert isinstance(source, Source)
        assert len(source.data) == MAX_HEADER_BYTES + 1
        assert peak < 1 << 20

    def test_what_cannot_be_read_is_said_and_stops_nothing(self, tmp_path: Path) -> None:
        """A missing file and a socket stand beside a good one."""
        good = write(tmp_path / "good.eml")
        missing = tmp_path / "missing.eml"

        first, second, third = read_sources([str(missing), "/dev/null", str(good)])

        assert first == Unreadable(str(missing), "No such file or directory")
        assert second == Unreadable("/dev/null", "neither a file nor a directory")
        assert third == Source(str(good), b"Subject: s\n\n")

    def test_a_broken_link_in_a_directory_is_one_failure(self, tmp_path: Path) -> None:
        """The rest of the directory is read."""
        write(tmp_path / "a.eml")
        (tmp_path / "b.eml").symlink_to(tmp_path / "nowhere")
        write(tmp_path / "c.eml")

        kinds = [type(source) for source in read_sources([str(tmp_path)])]

        assert kinds == [Source, Unreadable, Source]

    def test_a_name_with_a_nul_byte(self) -> None:
        """Not even such a name is a traceback."""
        (source,) = read_sources(["a\0b"])

        assert isinstance(source, Unreadable)

    def test_a_name_that_is_not_unicode(self, tmp_path: Path) -> None:
        """Files are named by bytes."""
        name = os.fsdecode(bytes(tmp_path) + b"/\xff.eml")
        Path(name).write_bytes(b"Subject: s\n\n")

        assert [source.file for source in read_sources([str(tmp_path)])] == [name]
