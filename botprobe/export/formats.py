"""All forms of export, listed by hand."""

from botprobe.export.base import Format
from botprobe.export.dnszones import policy_zone, rbldnsd_zone
from botprobe.export.events import intelmq_lines, misp_event
from botprobe.export.nftables import nft_script
from botprobe.export.postfix import access_map, postscreen_list
from botprobe.export.records import csv_lines, json_lines
from botprobe.export.stix import stix_bundle

FORMATS = {
    known.name: known
    for known in (
        Format(name="jsonl", write=json_lines, help="JSON, one object per line"),
        Format(name="csv", write=csv_lines, help="one table"),
        Format(name="intelmq", write=intelmq_lines, help="IntelMQ events, one per line"),
        Format(name="stix", write=stix_bundle, help="STIX 2.1 bundle"),
        Format(name="misp", write=misp_event, help="MISP event"),
        Format(name="postfix", write=access_map, help="access map, cidr:", blocks=True),
        Format(name="postscreen", write=postscreen_list, help="access list, cidr:", blocks=True),
        Format(name="nftables", write=nft_script, help="sets with timeouts", blocks=True),
        Format(name="rbldnsd", write=rbldnsd_zone, help="DNS block list", blocks=True),
        Format(name="rpz", write=policy_zone, help="response policy zone", blocks=True),
    )
}
