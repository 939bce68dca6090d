"""Findings as sets of nftables whose elements go out by themselves (nft(8), "SETS").

The file only fills sets; what happens to their members is a rule of the operator's own:
``ip saddr @bots4 tcp dport 25 drop`` in a chain of ``table inet botprobe`` or of any other table
that has such sets. Loading the file again renews all elements in one transaction.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from botprobe.export.base import Publication, instant
from botprobe.model.finding import Finding

TABLE = "botprobe"

# A command with all elements of a large set would not fit into one netlink message.
AT_ONCE = 1_000


def nft_script(findings: Iterable[Finding], publication: Publication) -> Iterator[str]:
    """Write a script for ``nft -f``; what has expired is left out."""
    yield f"# botprobe, {instant(publication.made)}: bots, each until it expires\n"
    yield f"add table inet {TABLE}\n"
    for version in (4, 6):
        yield (
            f"add set inet {TABLE} bots{version} "
            f"{{ type ipv{version}_addr; flags timeout; size 1048576; }}\n"
            f"flush set inet {TABLE} bots{version}\n"
        )
    living = iter(
        (finding.address.version, _element(finding, publication))
        for finding in findings
        if finding.seconds_left(publication.made)
    )
    while some := list(islice(living, AT_ONCE)):
        for version in (4, 6):
            elements = [element for of, element in some if of == version]
            if elements:
                listed = ",\n    ".join(elements)
                yield f"add element inet {TABLE} bots{version} {{\n    {listed}\n}}\n"


def _element(finding: Finding, publication: Publication) -> str:
    seconds = finding.seconds_left(publication.made)
    return f'{finding.address} timeout {seconds}s comment "{finding.evidence_id}"'
