"""Who goes first in a flood of mails: those of hosts that no mail named lately.

Ten thousand mails of one campaign come from a few hundred hosts. The first mail of each decides
how soon its host is asked; all others only count.
"""

import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from botprobe.intake.peek import PEEK_BYTES, peek_sender
from botprobe.intake.trust import TrustSettings
from botprobe.intake.watching import MailFile
from botprobe.model.mail import IpAddress

# Hosts that are remembered; one that is forgotten goes first once more.
MAX_KNOWN = 20_000


@dataclass(slots=True)
class Triage:
    """Remembers the hosts of the latest mails."""

    trust: TrustSettings
    _known: OrderedDict[IpAddress, None] = field(default_factory=OrderedDict)

    def sort(self, files: Iterable[MailFile]) -> tuple[list[MailFile], list[MailFile]]:
        """Return the mails of hosts that are new, and the others; reads the files' beginnings."""
        urgent: list[MailFile] = []
        others: list[MailFile] = []
        for file in files:
            sender = self._glance(file)
            (urgent if sender is not None and sender not in self._known else others).append(file)
            if sender is not None:
                self._known[sender] = None
                self._known.move_to_end(sender)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return urgent, others

    def _glance(self, file: MailFile) -> IpAddress | None:
        try:
            descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None  # whoever reads the file says why it cannot be read
        try:
            return peek_sender(os.read(descriptor, PEEK_BYTES), self.trust)
        except OSError:
            return None
        finally:
            os.close(descriptor)
