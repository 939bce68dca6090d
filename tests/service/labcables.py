"""A database behind a cable of its own for each client, to be cut on the wire.

The server lives in a network namespace of its own. To each client leads a pair of interfaces; to
cut it takes the far end down: whatever is on its way is lost, and nobody is told, as when somebody
pulls the plug.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import postgres
from tests.lab import namespace
from tests.lab.namespace import Namespace

# Of the cables: not the laboratory's, where the hosts live.
NETWORK = "10.77"


@dataclass(frozen=True, slots=True)
class Cables:
    """The cables of all clients, by name."""

    there: Namespace
    """Where the server is."""
    clients: tuple[str, ...]

    def address(self, client: str) -> str:
        """Return the server's address at the end of a client's cable."""
        return f"{NETWORK}.{self._number(client)}.2"

    def own_address(self, client: str) -> str:
        """Return the address that the server sees the client come from."""
        return f"{NETWORK}.{self._number(client)}.1"

    def lay(self) -> None:
        """Lay all cables."""
        self.there.ip("link set lo up")
        for client in self.clients:
            near, far = self._ends(client)
            namespace.connect(near, far, self.there)
            Namespace().ip(
                f"address add {self.own_address(client)}/30 dev {near}", f"link set {near} up"
            )
            self.there.ip(f"address add {self.address(client)}/30 dev {far}")
            self.mend(client)

    def cut(self, client: str) -> None:
        """Cut a cable."""
        self.there.ip(f"link set {self._ends(client)[1]} down")

    def mend(self, client: str) -> None:
        """Put a cable together again."""
        self.there.ip(f"link set {self._ends(client)[1]} up")

    def _number(self, client: str) -> int:
        return self.clients.index(client) + 1

    def _ends(self, client: str) -> tuple[str, str]:
        return f"db{self._number(client)}", f"db{self._number(client)}-far"


@contextmanager
def wired_server(folder: Path, *clients: str) -> Iterator[tuple[postgres.Server, Cables]]:
    """Run a durable server that clients reach through cables; the test itself uses its socket.

    Whoever made the folder removes it: the laboratory may end before anybody in it can.
    """
    cables = Cables(namespace.new_namespace(), clients)
    cables.lay()
    user = postgres.service_user()
    as_user = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--")
    with postgres.server("listen_addresses=*", durable=True, kept=folder, start=False) as server:
        with (server.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {NETWORK}.0.0/16 trust\n")
        server.before = tuple(cables.there.enter(*(as_user if os.geteuid() == 0 else ())))
        server.start()
        yield server, cables
