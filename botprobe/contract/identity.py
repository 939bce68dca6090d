"""Who is probing: the page, the file and the DNS records that tell it to those who are asked.

RFC 9511 lets whoever is probed find out by the name of the source: from
``https://NAME/.well-known/probing.txt``, whose fields are those of RFC 9116 and a description.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from botprobe.contract.case import rfc3339
from botprobe.model.mail import IpAddress
from botprobe.model.text import visible

# RFC 9116, section 2.5.5: less than a year is recommended.
HOLDS = timedelta(days=360)

WELL_KNOWN = ".well-known/probing.txt"

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}"
    "code{overflow-wrap:anywhere}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What others may know of us."""

    name: str
    """Of our EHLO, and the PTR record of each address."""
    addresses: tuple[IpAddress, ...]
    """That packets leave from, as others see them."""
    organisation: str
    contact: str
    """A mail address."""
    asked: tuple[str, ...]
    """Every question that a host may be asked."""
    cooldown_hours: float
    written: datetime

    @property
    def url(self) -> str:
        """Where the file of RFC 9511 is looked for."""
        return f"https://{self.name}/{WELL_KNOWN}"

    @property
    def description(self) -> str:
        """One line for the file and for DNS."""
        rhythm = "an hour" if self.cooldown_hours == 1 else f"{self.cooldown_hours:g} hours"
        return (
            f"{self.organisation} asks each host that sent spam to it, or that such a mail names "
            f"as its origin, once in {rhythm} what it is. Nobody logs in, no "
            f"mail is offered. To be left alone, write to {self.contact}."
        )


def probing_txt(identity: Identity) -> str:
    """Write the file of RFC 9511, section 3."""
    return (
        f"Canonical: {identity.url}\n"
        f"Contact: mailto:{visible(identity.contact)}\n"
        f"Expires: {rfc3339(identity.written + HOLDS)}\n"
        "Preferred-Languages: en\n"
        f"Description: {visible(identity.description)}\n"
    )


def dns_records(identity: Identity) -> str:
    """Write the records that lead from our addresses to us, as lines of zone files."""
    name, lines = f"{identity.name}.", []
    for address in identity.addresses:
        kind = "A" if address.version == 4 else "AAAA"
        lines += [f"{name} IN {kind} {address}", f"{address.reverse_pointer}. IN PTR {name}"]
    about = f"research probe of {visible(identity.organisation)}, see {identity.url}"
    return "\n".join(
        [
            "; The name and the addresses must lead to each other: else we look like a bot.",
            *lines,
            f"{name} IN TXT {_quoted(about)}",
            "; Only if this host sends no mail itself, not even reports:",
            f'{name} IN TXT "v=spf1 -all"',
            "",
        ]
    )


def page(identity: Identity) -> str:
    """Write the page for people who found us in their logs."""
    name, contact = escape(visible(identity.name)), escape(visible(identity.contact))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Probes from {name}</title>
<style>{_STYLE}</style>
<h1>Why did {name} contact you?</h1>
<p>{escape(visible(identity.description))}</p>
<h2>Where from</h2>
<ul>{_items(map(str, identity.addresses))}</ul>
<h2>What is sent at most</h2>
<ul>{_items(identity.asked)}</ul>
<p>Connections are closed politely. No exploit, no password and no mail is ever tried.</p>
<h2>How to be left alone</h2>
<p>Write to <a href="mailto:{contact}">{contact}</a> and name your network. It is taken out at
once, and what we sent to you and why is looked up in our log.</p>
<p>For machines: <a href="/{WELL_KNOWN}"><code>/{WELL_KNOWN}</code></a> (RFC 9511).</p>
</html>
"""


def _items(texts: Iterable[str]) -> str:
    return "".join(f"<li><code>{escape(visible(text))}</code></li>" for text in texts)


def _quoted(text: str) -> str:
    """Write a text as strings of a TXT record, each of at most 255 bytes (RFC 1035)."""
    safe = text.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    return " ".join(f'"{safe[start : start + 200]}"' for start in range(0, len(safe), 200))
