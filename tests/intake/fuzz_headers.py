"""Coverage-guided fuzzing of the header reader; run by ``scripts/fuzz-headers``, not by pytest.

Whatever bytes come in, reading them raises nothing, ends soon, and gives a mail that keeps the
promises which the rest of the product relies on.
"""

import json
import sys

import atheris  # type: ignore[import-untyped]  # it has none, and scripts/fuzz-headers brings it

with atheris.instrument_imports(include=["botprobe"]):
    from botprobe.contract.mail import mail_document
    from botprobe.intake import clauses, dates
    from botprobe.intake.message import read_mail
    from botprobe.intake.networks import parse_networks
    from botprobe.intake.received import parse_received, read_any
    from botprobe.intake.trust import TrustSettings
    from botprobe.intake.usual import read_usual
    from botprobe.model.mail import HopStatus, Mail
    from botprobe.model.text import visible

OWN = TrustSettings(own_hosts=frozenset(("mx.example.org",)))
NAMED = TrustSettings(trusted_networks=parse_networks(("192.0.2.0/24", "10/8")))


def check(data: bytes) -> None:
    """Read one input in each way and check what came out; the first byte chooses the settings."""
    settings = (TrustSettings(), OWN, NAMED)[data[0] % 3 if data else 0]
    check_mail(read_mail(data[1:], "fuzz", settings))
    value = data[1:].decode("utf-8", "replace")
    hop = parse_received(value, 0)
    assert hop.status is not HopStatus.IGNORED or hop.ip is None
    line = " ".join(value.split())[:4096]
    usual_hop = read_usual(line, 0)
    assert usual_hop is None or usual_hop == read_any(line, 0)
    short, long = clauses.split_clauses(line), clauses.split_tokens(line)
    assert short._replace(protocol_comments="") == long._replace(protocol_comments="")
    usual = dates._USUAL.match(value)
    if usual is not None and (at := dates.usual_date(usual.groups())) is not None:
        assert dates._long_way(value).at == at


def check_mail(mail: Mail) -> None:
    """Check a mail: complete JSON, ordered hops, a boundary that exists, text fit to be shown."""
    text = json.dumps(mail_document(mail))
    assert json.loads(text)["file"] == "fuzz"
    assert [hop.index for hop in mail.hops] == list(range(len(mail.hops)))
    if mail.boundary.hop is not None:
        assert mail.hops[mail.boundary.hop].ip == mail.source_ip is not None
    for hop in mail.hops:
        assert hop.at is None or hop.at.tzinfo is not None
        assert visible(hop.raw).isprintable() or not visible(hop.raw).isascii()


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
