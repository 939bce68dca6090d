"""The documents of a scan."""

from dataclasses import replace

from botprobe.cli.scan import scan_documents
from botprobe.model.mail import Trust
from botprobe.model.target import Target
from tests.cases import HOST, bot_case, sighting
from tests.test_pipeline import mail_with


class TestScanDocuments:
    def test_each_mail_shows_what_it_said_itself(self) -> None:
        """A bot of a thousand mails does not write each of them under each."""
        files = ("new/1", "new/2", "new/3")
        mails = [mail_with((Trust.BOUNDARY, str(HOST)), file=file) for file in files]
        seen = tuple(replace(sighting(), file=file) for file in files)

        documents = scan_documents(mails, [replace(bot_case(), target=Target(HOST, seen))])

        shown = [
            [(case["ip"], [one["file"] for one in case["sightings"]]) for case in mail["targets"]]
            for mail in documents
        ]
        assert shown == [[(str(HOST), [file])] for file in files]
