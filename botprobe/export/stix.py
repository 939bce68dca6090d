"""Findings as a STIX 2.1 bundle of indicators, by the OASIS library ``stix2``."""

from collections.abc import Iterable, Iterator
from typing import Any

from botprobe.errors import ConfigError
from botprobe.export.base import Publication, stable_uuid
from botprobe.model.finding import Finding
from botprobe.model.text import visible
from botprobe.model.verdict import Label

_TYPES = {
    Label.BOT: "compromised",
    Label.SUSPECTED_BOT: "compromised",
    Label.OPEN_PROXY: "anonymization",
    Label.MAIL_SERVER: "benign",
    Label.OTHER_SERVER: "benign",
}


def stix_bundle(findings: Iterable[Finding], publication: Publication) -> Iterator[str]:
    """Write one bundle: who says it, and an indicator for each host with its validity.

    Raises:
        ConfigError: the package ``stix2`` is not installed.
    """
    try:
        import stix2  # noqa: PLC0415  # an extra that most installations do without
    except ImportError as error:
        raise ConfigError("STIX needs stix2: pip install 'botprobe[stix]'") from error
    author = stix2.v21.Identity(
        id=f"identity--{stable_uuid('stix', publication.organisation or 'botprobe')}",
        created=publication.made,
        modified=publication.made,
        name=publication.organisation or "botprobe",
        identity_class="organization" if publication.organisation else "system",
    )
    indicators = [_indicator(stix2, finding, author, publication) for finding in findings]
    bundle = stix2.v21.Bundle(
        id=f"bundle--{stable_uuid('stix', publication.made.isoformat())}",
        objects=[author, *indicators],
    )
    yield bundle.serialize(pretty=True) + "\n"


def _indicator(stix2: Any, finding: Finding, author: Any, publication: Publication) -> Any:
    case = finding.case
    kind = "ipv4-addr" if finding.address.version == 4 else "ipv6-addr"
    reasons = "; ".join(evidence.because for evidence in case.verdict.evidence)
    return stix2.v21.Indicator(
        id=f"indicator--{stable_uuid('stix', finding.evidence_id)}",
        created_by_ref=author.id,
        created=case.started,
        modified=max(case.started, publication.made),
        name=f"{finding.address} is taken for: {case.verdict.label}",
        description=visible(reasons),
        indicator_types=[_TYPES.get(case.verdict.label, "unknown")],
        pattern=f"[{kind}:value = '{finding.address}']",
        pattern_type="stix",
        pattern_version="2.1",
        valid_from=case.started,
        valid_until=finding.expires,
        confidence=round(100 * case.verdict.probability),
        external_references=[
            {"source_name": "botprobe", "external_id": finding.evidence_id},
        ],
    )
