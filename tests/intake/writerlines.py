"""How mail servers write their ``Received`` fields, as templates with named slots.

A template that is filled and read again must give back what was put into its slots: that is the
rule of tests/intake/test_received.py, and the filled templates are the fuzzer's seeds.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from botprobe.model.mail import IpAddress

DATE = "Mon, 5 Oct 2026 09:12:44 +0200"

_TLS = "(using TLSv1.3 with cipher X (256/256 bits))\n\t(No client certificate requested)"
_IP = ip_address("192.0.2.25")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """What one server saw of one handover."""

    ip: IpAddress = _IP
    helo: str = "mail.example.net"
    rdns: str = "host-25.example.net"
    by: str = "mx.example.org"
    queue_id: str = "4XYZ12"
    recipient: str = "u@example.org"
    sender: str = "s@example.net"
    ident: str = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one server writes it, and what can be read from it."""

    name: str
    template: str
    helo: bool = True
    rdns: bool = False
    verified: bool | None = None
    queue_id: bool = True
    recipient: bool = False
    sender: bool = False
    ident: bool = False
    v4_only: bool = False
    """It writes a port or a mapped address so that IPv6 would be ambiguous, or knows none."""

    def fill(self, slots: Slots) -> str:
        """The field's value, folded as the server folds it."""
        tagged = f"IPv6:{slots.ip}" if isinstance(slots.ip, IPv6Address) else str(slots.ip)
        return self.template.format(
            ip=slots.ip,
            tagged=tagged,
            helo=slots.helo,
            rdns=slots.rdns,
            by=slots.by,
            id=slots.queue_id,
            to=slots.recipient,
            sender=slots.sender,
            ident=slots.ident,
            date=DATE,
            tls=_TLS,
        )


FORMS = (
    Form(
        name="Postfix",
        template="from {helo} ({rdns} [{tagged}])\n\t{tls}\n\tby {by} (Postfix) with ESMTPS id {id}"
        "\n\tfor <{to}>; {date}",
        rdns=True,
        verified=True,
        recipient=True,
    ),
    Form(
        name="Postfix, no reverse DNS",
        template="from {helo} (unknown [{tagged}])\n\tby {by} (Postfix) with SMTP id {id}; {date}",
    ),
    Form(
        name="Sendmail",
        template="from {helo} ({rdns} [{tagged}])\n\tby {by} (8.17.1/8.17.1) with ESMTPS id {id}"
        "\n\t(version=TLSv1.3 cipher=X bits=256 verify=NOT)\n\tfor <{to}>; {date}",
        rdns=True,
        verified=True,
        recipient=True,
    ),
    Form(
        name="Sendmail, not confirmed",
        template="from {helo} (IDENT:{ident}@{rdns} [{tagged}] (may be forged))\n\tby {by} "
        "(8.11.6/8.11.6) with ESMTP id {id}; {date}",
        rdns=True,
        verified=False,
        ident=True,
    ),
    Form(
        name="Exim, verified",
        template="from {rdns} ([{ip}]:41234 helo={helo})\n\tby {by} with esmtps  (TLS1.3) tls "
        "TLS_AES_256_GCM_SHA384\n\t(Exim 4.97)\n\t(envelope-from <{sender}>)\n\tid {id}"
        "\n\tfor {to}; {date}",
        rdns=True,
        verified=True,
        recipient=True,
        sender=True,
    ),
    Form(
        name="Exim, not verified",
        template="from [{ip}] (port=41234 helo={helo} ident={ident})\n\tby {by} with esmtp "
        "(Exim 4.97)\n\tid {id}; {date}",
        ident=True,
    ),
    Form(
        name="Exim, nothing known",
        template="from [{ip}] (helo={helo})\n\tby {by} with esmtp (Exim 4.94.2) id {id}"
        "\n\tfor {to}; {date}",
        recipient=True,
    ),
    Form(
        name="qmail",
        template="from {rdns} (HELO {helo}) ({ident}@{ip})\n  by {by} with SMTP; {date}",
        rdns=True,
        verified=False,
        queue_id=False,
        ident=True,
    ),
    Form(
        name="qmail, no reverse DNS",
        template="from unknown (HELO {helo}) ({ip})\n  by {by} with SMTP; {date}",
        queue_id=False,
    ),
    Form(
        name="Exchange",
        template="from {helo} ({ip}) by\n {by} (10.233.255.123) with\n Microsoft SMTP Server "
        "(version=TLS1_2,\n cipher=X) id 15.20.9182.17 via Frontend\n Transport; {date}",
        queue_id=False,
    ),
    Form(
        name="SMTPSVC",
        template="from {helo} ([{ip}] RDNS failed) by {by} with Microsoft SMTPSVC(8.5); {date}",
        queue_id=False,
    ),
    Form(
        name="Gmail",
        template="from {helo} ({rdns}. [{ip}])\n        by {by} with ESMTPS id {id}"
        "\n        for <{to}>\n        (version=TLS1_3 cipher=X bits=256/256);\n        {date}",
        rdns=True,
        recipient=True,
    ),
    Form(
        name="OpenSMTPD",
        template="from {helo} ({rdns} [{ip}])\n\tby {by} (OpenSMTPD) with ESMTPS id {id} "
        "(TLSv1.3:X:256:NO)\n\tfor <{to}>; {date}",
        rdns=True,
        verified=False,
        recipient=True,
    ),
    Form(
        name="Courier",
        template="from {helo} (softdnserr [::ffff:{ip}])\n  by {by} with ESMTPS id {id}; {date}",
        v4_only=True,
    ),
    Form(
        name="CommuniGate",
        template="from [{ip}] (HELO {helo})\n  by {by} (CommuniGate Pro SMTP 6.3.3)\n"
        "  with ESMTPS id {id} for {to}; {date}",
        recipient=True,
    ),
    Form(
        name="MDaemon",
        template="from {helo} [{ip}] by {by} [198.51.100.1] with SMTP (MDaemon.PRO.v5.0.6.R) "
        "for <{to}>; {date}",
        queue_id=False,
        recipient=True,
    ),
    Form(
        name="Haraka",
        template="from {helo} ({rdns} [{ip}])\n\tby {by} (Haraka/3.0.3) with ESMTPS id {id} "
        "envelope-from <{sender}>; {date}",
        rdns=True,
        sender=True,
    ),
    Form(
        name="IronPort",
        template="from {rdns} (HELO {helo}) ([{ip}])\n  by {by} with ESMTP/TLS/X; {date}",
        rdns=True,
        verified=False,
        queue_id=False,
    ),
    Form(
        name="webmail",
        template="from [{ip}] by {by} via HTTP; {date}",
        helo=False,
        queue_id=False,
    ),
    Form(
        name="ecelerity",
        template="from [{ip}] ([{ip}:46972] helo={helo}) by {by} (envelope-from <{sender}>) "
        "(ecelerity 4.7.0.20111 r(x)) with ESMTP id {id}; {date}",
        sender=True,
        v4_only=True,
    ),
    Form(
        name="PowerMTA",
        template="from {helo} ({ip}) by {by} (PowerMTA(TM) v3.5r17) id {id} for <{to}>; {date} "
        "(envelope-from <{sender}>)",
        recipient=True,
        sender=True,
    ),
    Form(
        name="smap",
        template="from {rdns}({ip}, HELO {helo}) by {by} via smap (V1.3) id {id}; {date}",
        rdns=True,
    ),
)

# Lines that name no sending host, and never will.
IGNORED = (
    f"by mx.example.org (Postfix, from userid 1000) id 4XYZ12; {DATE}",
    f"by 2002:a05:6a06:1:0:2:3:4 with SMTP id w6csp1900485lkc; {DATE}",
    f"(qmail 12345 invoked by uid 89); {DATE}",
    f"(from u@localhost) by mx.example.org (8.17.1/8.17.1/Submit) id 4XYZ12; {DATE}",
    f"from mail pickup service by mx.example.org with Microsoft SMTPSVC; {DATE}",
    f"from u by mx.example.org with local (Exim 4.97) id 1qoXYZ-000123-1A; {DATE}",
    f"from pop.example.net [192.0.2.7] by localhost with POP3 (fetchmail-6.4.37) for u; {DATE}",
    f"from localhost (localhost [local]) by mx.example.org (OpenSMTPD) with ESMTPA id 1e2a; {DATE}",
)

LINES = (*(form.fill(Slots()) for form in FORMS), *IGNORED)
