"""Who can ask to be left alone: a network, a name, or an autonomous system."""

from dataclasses import dataclass

from botprobe.model.audit import IpNetwork
from botprobe.model.origin import Origin


@dataclass(frozen=True, slots=True)
class Domain:
    """A name and all names below it."""

    name: str
    """In lower case, without a dot at either end."""

    def owns(self, origin: Origin) -> bool:
        """Say whether an address has such a name.

        It need not point back to the address: whoever asks to be left alone is believed.
        """
        names = (name.lower().rstrip(".") for name in origin.names or ())
        return any(name == self.name or name.endswith(f".{self.name}") for name in names)

    def __str__(self) -> str:
        return self.name if "." in self.name else f".{self.name}"


@dataclass(frozen=True, slots=True)
class AutonomousSystem:
    """All that one operator announces to the Internet."""

    number: int

    def owns(self, origin: Origin) -> bool:
        """Say whether it announces an address."""
        return origin.asn == self.number

    def __str__(self) -> str:
        return f"AS{self.number}"


Party = IpNetwork | Domain | AutonomousSystem
