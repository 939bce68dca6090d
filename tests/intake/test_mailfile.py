"""One file of a mailbox."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from botprobe.errors import ConfigError, InputError
from botprobe.intake.header import MAX_HEADER_BYTES
from botprobe.intake.mailfile import NotSettled, after_action, moved_folder, read_start
from botprobe.intake.watching import MailFile
from tests.intake.test_watching import maildir

NOW = datetime.now(UTC)


def written(path: Path, text: str = "Subject: x\n\n") -> Path:
    """Write a file, as long ago as its times say: now."""
    path.write_text(text)
    return path


class TestReadStart:
    def test_reads_the_beginning_only(self, tmp_path: Path) -> None:
        """An attachment of any size costs nothing."""
        path = written(tmp_path / "1", "x" * 200_000)

        mail = read_start(MailFile(tmp_path, path, whole=True), NOW)

        assert mail is not None
        assert len(mail.data) == MAX_HEADER_BYTES + 1
        assert abs((mail.written - datetime.now(UTC)).total_seconds()) < 60

    def test_a_file_that_may_still_be_written_waits(self, tmp_path: Path) -> None:
        """Half a header has the wrong hops; a file that rests is taken."""
        file = MailFile(tmp_path, written(tmp_path / "1"))

        with pytest.raises(NotSettled):
            read_start(file, datetime.now(UTC))
        assert read_start(file, datetime.now(UTC) + timedelta(seconds=3)) is not None

    def test_a_clock_that_was_set_back_holds_no_mail_up(self, tmp_path: Path) -> None:
        """A file of the future is not waited for."""
        file = MailFile(tmp_path, written(tmp_path / "1"))

        assert read_start(file, datetime.now(UTC) - timedelta(hours=1)) is not None

    def test_a_renamed_file_is_whole(self, tmp_path: Path) -> None:
        """A delivery that inotify missed is taken at once by the scan."""
        path = written(tmp_path / "1")
        os.utime(path, (1_000_000_000, 1_000_000_000))  # the rename comes later than the writing

        assert read_start(MailFile(tmp_path, path), datetime.now(UTC)) is not None

    def test_what_is_gone_is_no_error(self, tmp_path: Path) -> None:
        """A mail reader may move a mail at any time."""
        assert read_start(MailFile(tmp_path, tmp_path / "1"), NOW) is None

    def test_a_pipe_or_a_link_holds_nobody_up(self, tmp_path: Path) -> None:
        """Whoever may write into the directory can neither block us nor lead us elsewhere."""
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to("/etc/passwd")

        assert read_start(MailFile(tmp_path, tmp_path / "pipe", whole=True), NOW) is None
        with pytest.raises(InputError):
            read_start(MailFile(tmp_path, tmp_path / "link", whole=True), NOW)


class TestAfterAction:
    def test_none_does_nothing(self) -> None:
        """The mailbox is read-only unless the operator says otherwise."""
        assert after_action("none") is None

    def test_flag_marks_a_mail_as_seen(self, tmp_path: Path) -> None:
        """A mail in new moves to cur, as a mail reader would do it; others stay."""
        maildir(tmp_path)
        flag = after_action("flag")
        assert flag is not None

        flag(MailFile(tmp_path, written(tmp_path / "new" / "1.mail")))
        flag(MailFile(tmp_path, written(tmp_path / "cur" / "2.mail:2,F")))

        assert sorted(path.name for path in (tmp_path / "cur").iterdir()) == [
            "1.mail:2,S",
            "2.mail:2,F",
        ]
        assert list((tmp_path / "new").iterdir()) == []

    def test_move_makes_the_folder(self, tmp_path: Path) -> None:
        """The folder is one that mail readers understand, and that nobody watches."""
        maildir(tmp_path)
        move = after_action("move:Botprobe.Done")
        assert move is not None

        move(MailFile(tmp_path, written(tmp_path / "new" / "1.mail")))
        move(MailFile(tmp_path, tmp_path / "new" / "gone"))

        folder = tmp_path / ".Botprobe.Done"
        assert [path.name for path in (folder / "cur").iterdir()] == ["1.mail:2,"]
        assert (folder / "maildirfolder").exists()
        assert moved_folder("move:Botprobe.Done") == {folder.name}

    @pytest.mark.parametrize(
        "text", ["delete", "move", "move:", "move:../x", "move:a/b", "move:.x", "flag:x", "move:\n"]
    )
    def test_anything_else_is_a_mistake(self, text: str) -> None:
        """No folder leads out of the mailbox."""
        with pytest.raises(ConfigError, match="none, flag, move:FOLDER"):
            after_action(text)
