"""Findings as events of IntelMQ and of MISP.

IntelMQ: the fields of its data harmonisation (https://docs.intelmq.org), one event per line.
MISP: one event with an ``ip-port`` object per host, after the template of misp-objects.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from botprobe.export.base import Publication, instant, stable_uuid
from botprobe.export.records import finding_record
from botprobe.model.finding import Finding
from botprobe.model.verdict import Label

FEED = "botprobe"

# Words of the RSIT taxonomy; what is no abuse by itself is "other".
_TYPES = {
    Label.BOT: ("infected-system", "malicious-code"),
    Label.SUSPECTED_BOT: ("infected-system", "malicious-code"),
    Label.OPEN_PROXY: ("proxy", "other"),
}

_TEMPLATE = {
    "name": "ip-port",
    "meta-category": "network",
    "template_uuid": "9f8cea74-16fe-4968-a2b4-026676949ac6",
    "template_version": "10",
}


def intelmq_lines(findings: Iterable[Finding], publication: Publication) -> Iterator[str]:
    """Write one IntelMQ event per line."""
    for finding in findings:
        yield json.dumps(intelmq_event(finding, publication), ensure_ascii=True) + "\n"


def intelmq_event(finding: Finding, publication: Publication) -> dict[str, Any]:
    """Write a finding in the fields of IntelMQ's harmonisation."""
    record = finding_record(finding)
    kind, taxonomy = _TYPES.get(finding.case.verdict.label, ("undetermined", "other"))
    extra = ("probability", "expires", "evidence_id", "os_name", "mails", "handed_to_us")
    return {
        "__type": "Event",
        "feed.name": FEED,
        "feed.accuracy": round(100 * finding.case.verdict.probability, 2),
        "time.source": instant(finding.case.started).replace("Z", "+00:00"),
        "time.observation": instant(publication.made).replace("Z", "+00:00"),
        "source.ip": record["ip"],
        "classification.type": kind,
        "classification.taxonomy": taxonomy,
        "classification.identifier": record["label"],
        "protocol.application": "smtp",
        "protocol.transport": "tcp",
        "event_description.text": "; ".join(record["reasons"]) or record["label"],
        **{f"extra.{name}": record[name] for name in extra if record[name] is not None},
    }


def misp_event(findings: Iterable[Finding], publication: Publication) -> Iterator[str]:
    """Write one MISP event, host by host."""
    event = {
        "uuid": str(stable_uuid("misp", instant(publication.made))),
        "info": f"Hosts judged by botprobe, {publication.made:%Y-%m-%d}",
        "date": f"{publication.made:%Y-%m-%d}",
        "threat_level_id": "3",
        "analysis": "2",
        "distribution": "0",
    }
    yield '{"Event": ' + json.dumps(event)[:-1] + ', "Object": ['
    for number, finding in enumerate(findings):
        yield (",\n" if number else "\n") + json.dumps(_misp_object(finding), ensure_ascii=True)
    yield "\n]}}\n"


def _misp_object(finding: Finding) -> dict[str, Any]:
    record = finding_record(finding)
    text = f"{record['label']}: {'; '.join(record['reasons'])} [{record['evidence_id']}]"
    attributes = (
        ("ip-src", "ip-src", record["ip"], True),
        ("first-seen", "datetime", record["first_seen"], False),
        ("last-seen", "datetime", record["last_seen"], False),
        ("text", "text", f"{text} expires {record['expires']}", False),
    )
    return {
        **_TEMPLATE,
        "uuid": str(stable_uuid("misp", finding.evidence_id)),
        "comment": record["label"],
        "Attribute": [
            {
                "uuid": str(stable_uuid("misp", finding.evidence_id, relation)),
                "object_relation": relation,
                "type": kind,
                "category": "Network activity" if kind == "ip-src" else "Other",
                "value": value,
                "to_ids": to_ids,
            }
            for relation, kind, value, to_ids in attributes
        ],
    }
