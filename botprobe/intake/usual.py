"""The commonest ``Received`` fields, of Postfix, Sendmail and Exim, each read in one step.

Nearly half of all fields are of these forms. What is taken here, the long way of ``received`` reads
just the same, at three times the price; tests and the fuzzer hold both to that.
"""

import re

from botprobe.intake.clauses import COMMENTS, NO_KEYWORD
from botprobe.intake.dates import USUAL_DATE, usual_date
from botprobe.intake.fromclause import MARKERS, NO_NAME
from botprobe.intake.literals import parse_literal
from botprobe.model.mail import Hop, HopStatus, Trust

_WORD = rf"{NO_KEYWORD}[^ <>,()\"\[\];\\]++"
_NAME = r"[^ @()\"\[\]<>;,=\\]++"
_LITERAL = r"[0-9A-Fa-f:.]++"

_POSTFIX_SENDMAIL = re.compile(
    rf"from ([^ ()\"\[\];\\]++|\[[^ \[\]()\"\\]*+\])"
    rf" \(([^ @\[\]()\"\\=]++) \[([0-9A-Fa-f:.IPv]++)\]\){COMMENTS}"
    rf" by ({_WORD}) \((?:Postfix|8(?>(?:\.[0-9]++)+)/8(?>(?:\.[0-9]++)+))\)"
    rf" with (E?SMTPS?){COMMENTS} id ({_WORD}){COMMENTS}"
    rf"(?: for <?({_WORD})>?)?{COMMENTS} ?;{USUAL_DATE}"
    r"(?: \([A-Za-z]++\))?"
)
_EXIM = re.compile(
    rf"from (?:({_NAME}) \(\[({_LITERAL})\](?::[0-9]{{1,5}})?(?: helo=({_NAME}|\[{_LITERAL}\]))?\)"
    rf"|\[({_LITERAL})\](?::[0-9]{{1,5}})? \((?:port=[0-9]++ )?helo=({_NAME}|\[{_LITERAL}\])\))"
    rf" by ({_WORD}) with (e?smtps?a?)(?: \([A-Za-z0-9_.:-]++\))?(?: tls {_WORD})?"
    rf" \(Exim [0-9._]++\)(?: \(envelope-from <([^ <>(),;\"\\]++)>\))? id ({_WORD})"
    rf"(?: for <?({_WORD})>?)? ?;{USUAL_DATE}"
)
# In upper case: what is no name but says what the comment holds.
_NO_HOST = MARKERS | {"ACCOUNT"}


def read_usual(raw: str, index: int) -> Hop | None:
    """Read a field of a usual form; None leaves it to the long way.

    Args:
        raw: the value on one line, words parted by single spaces.
        index: its position in the header.
    """
    if " (Exim " in raw:
        return _read_exim(raw, index)
    match = _POSTFIX_SENDMAIL.fullmatch(raw)
    if match is None or _says_more(raw):
        return None
    helo, rdns, literal, by, protocol, queue_id, recipient, *date = match.groups()
    ip, at = parse_literal(literal), usual_date(date)
    if ip is None or at is None or rdns.upper() in _NO_HOST or rdns[-1] == ".":
        return None
    named = rdns.lower() not in NO_NAME
    return Hop(
        index=index,
        status=HopStatus.PARSED,
        raw=raw,
        ip=ip,
        rdns=rdns if named else None,
        rdns_verified=True if named else None,
        helo=helo,
        by=by,
        protocol=protocol,
        id=queue_id,
        recipient=recipient,
        at=at,
        trust=Trust.CLAIMED,
    )


def _says_more(raw: str) -> bool:
    """Whether it may name who authenticated, the envelope's sender, or hold a second field."""
    return (
        "uthenticated" in raw
        or "AUTH:" in raw
        or "smtp-auth" in raw
        or "nvelope-" in raw
        or "eturn-path" in raw
        or "Received:" in raw
    )


def _read_exim(raw: str, index: int) -> Hop | None:
    """``from rdns ([1.2.3.4] helo=x)``, the HELO left out where it is the same; or no ``rdns``."""
    match = _EXIM.fullmatch(raw)
    if match is None or "Received:" in raw:
        return None
    rdns, literal, helo, bare, bare_helo, by, protocol, sender, queue_id, recipient, *date = (
        match.groups()
    )
    ip, at = parse_literal(literal or bare), usual_date(date)
    if ip is None or at is None or (rdns and (rdns.lower() in NO_NAME or rdns[-1] == ".")):
        return None
    return Hop(
        index=index,
        status=HopStatus.PARSED,
        raw=raw,
        ip=ip,
        rdns=rdns,
        rdns_verified=True if rdns else None,
        helo=helo or bare_helo or rdns,
        by=by,
        auth=protocol if protocol[-1] == "a" else None,
        protocol=protocol,
        id=queue_id,
        envelope_from=sender,
        recipient=recipient,
        at=at,
        trust=Trust.CLAIMED,
    )
