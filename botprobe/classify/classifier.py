"""The verdict: the mission's rule, visible as itself, and beside it what all evidence adds up to.

Rules find, the table weighs, families vote once each within their bounds; the sum of the prior and
all evidence shown is the log-odds of the probability. How a label follows from it is explained in
docs/decisions/0003-verdict.md.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from botprobe.classify.alternatives import alternatives
from botprobe.classify.mailfunction import MailGrade
from botprobe.classify.oscatalog import OsRole
from botprobe.classify.rules import RULES
from botprobe.classify.subject import Subject, read_subject
from botprobe.classify.weights import Weights, probability_of
from botprobe.model.facts import Facts
from botprobe.model.mail import Trust
from botprobe.model.target import Sighting, Target
from botprobe.model.verdict import Evidence, Family, Label, Verdict

ACTIVE_FAMILIES = frozenset({Family.OS, Family.SERVICE, Family.PROXY, Family.TRAFFIC})
"""Families that stand on what the host itself did when it was measured."""

_FADING = ACTIVE_FAMILIES | {Family.RECEIPT}
"""Families about the host alone, not about the line, which whoever has it next inherits."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_MAIL_SERVERS = frozenset({MailGrade.GREETS, MailGrade.SPEAKS, MailGrade.OWN_NAME})

# As many as a reader takes in; the nearest ones.
MAX_CHANGES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A verdict in the making."""

    subject: Subject
    rule: bool | None
    """Client Windows without a mail service; None is undecided."""
    evidence: tuple[Evidence, ...]
    votes: Mapping[Family, float]
    log_odds: float
    is_timely: bool
    """Whether who was probed is surely enough who delivered."""

    @property
    def probability(self) -> float:
        """That the host is a bot."""
        return probability_of(self.log_odds)


def judge(
    facts: Facts, target: Target, weights: Weights, lag_seconds: float | None = None
) -> Verdict:
    """Judge a host by what was measured; what was not measured speaks neither way.

    Args:
        facts: the outcomes of the probes.
        target: the address, with the mails that named it.
        weights: the table of weights.
        lag_seconds: from the delivery of the newest mail to the probe; None if there is no mail, or
            if nobody knows, which is never taken for no delay.
    """
    opinion = form_opinion(facts, target, weights, lag_seconds)
    label = choose_label(opinion, weights)
    changes = []
    for other in alternatives(facts, lag_seconds):
        changed = form_opinion(other.facts, target, weights, other.lag_seconds)
        if (new := choose_label(changed, weights)) is not label:
            distance = abs(changed.log_odds - opinion.log_odds)
            changes.append((distance, f"{other.clause} would make it {new}"))
    return Verdict(
        label=label,
        probability=opinion.probability,
        client_windows_without_mail_service=opinion.rule,
        evidence=opinion.evidence,
        would_change=tuple(clause for _, clause in sorted(changes)[:MAX_CHANGES]),
        rules=weights.label,
    )


def not_probed(reason: str) -> Verdict:
    """Judge an address that no packet was sent to: nothing is known, so the odds are even."""
    change = f"a probe, which was refused: {reason}"
    return Verdict(label=Label.NOT_PROBED, probability=0.5, would_change=(change,))


def form_opinion(
    facts: Facts, target: Target, weights: Weights, lag_seconds: float | None
) -> Opinion:
    """Collect and weigh the evidence."""
    subject = read_subject(facts, target, weights.zones)
    kept, is_timely = 1.0, True
    if subject.may_change_hands:
        subject = replace(subject, target=_without_former_customers(target, weights))
        kept = weights.lag.kept(lag_seconds or 0.0)
        is_known = lag_seconds is not None or not target.sightings
        is_timely = is_known and kept >= weights.thresholds.fresh
    evidence = _within_caps(_findings(subject, weights, kept), weights.caps)
    votes: dict[Family, float] = defaultdict(float)
    for item in evidence:
        votes[item.family] += item.weight
    return Opinion(
        subject=subject,
        rule=client_windows_without_mail_service(subject),
        evidence=tuple(sorted(evidence, key=lambda item: (-abs(item.weight), item.rule))),
        votes=votes,
        log_odds=weights.prior + sum(item.weight for item in evidence),
        is_timely=is_timely,
    )


def _without_former_customers(target: Target, weights: Weights) -> Target:
    """Leave out deliveries so long before the newest one that another host may have made them.

    One without a date may be of any age; where none has a date, nothing is left out.
    """
    dates = [seen.delivered_at or _LONG_AGO for seen in target.sightings if _is_delivery(seen)]
    newest = max(dates, default=_LONG_AGO)

    def is_recent(seen: Sighting) -> bool:
        age = (newest - (seen.delivered_at or _LONG_AGO)).total_seconds()
        return weights.lag.kept(age) >= weights.thresholds.fresh

    sightings = (seen for seen in target.sightings if not _is_delivery(seen) or is_recent(seen))
    return replace(target, sightings=tuple(sightings))


def _is_delivery(seen: Sighting) -> bool:
    return seen.trust is Trust.BOUNDARY


def client_windows_without_mail_service(subject: Subject) -> bool | None:
    """Decide the rule of Endo (2009); None if either half is open and the other does not settle it.

    The halves are joined as Kleene's three-valued "and": a Linux host fails the rule whatever its
    port 25 does, and so does a host that greets, whatever it runs on.
    """
    halves = {_is_client_windows(subject), lacks_mail_service(subject)}
    if False in halves:
        return False
    return None if None in halves else True


def choose_label(opinion: Opinion, weights: Weights) -> Label:
    """Name the host, the gravest label that its evidence carries first."""
    if opinion.subject.open_doors:
        # Proven, whatever else it is: its owner is to be told another thing.
        return Label.OPEN_PROXY
    return _suspicion(opinion, weights) or _function(opinion.subject)


def _suspicion(opinion: Opinion, weights: Weights) -> Label | None:
    shared = opinion.subject.is_shared
    if _is_bot(opinion, weights):
        # Whoever it is, it is one of several: the address can be suspected, not named.
        return Label.SUSPECTED_BOT if shared else Label.BOT
    likely = opinion.probability >= weights.thresholds.suspected
    return Label.SUSPECTED_BOT if likely and not shared else None


def _function(subject: Subject) -> Label:
    if subject.grade in _MAIL_SERVERS:
        return Label.MAIL_SERVER
    if subject.is_shared:
        return Label.NAT_OR_SHARED
    if subject.is_silent:
        return Label.UNREACHABLE
    return Label.OTHER_SERVER if _is_server(subject) else Label.UNKNOWN


def _findings(subject: Subject, weights: Weights, kept: float) -> list[Evidence]:
    found = [(rule, because) for rule in RULES if (because := rule.find(subject)) is not None]
    return [
        _aged(
            Evidence(
                rule=rule.name,
                family=rule.family,
                weight=weights.rules[rule.name],
                because=because,
            ),
            kept,
        )
        for rule, because in found
    ]


def _aged(evidence: Evidence, kept: float) -> Evidence:
    """Weaken what a late probe has against a host; what excuses it keeps its weight."""
    if evidence.family not in _FADING or evidence.weight <= 0 or kept >= 1:
        return evidence
    late = f"{evidence.because} (probed late, {kept:.0%} of its weight)"
    return replace(evidence, weight=evidence.weight * kept, because=late)


def _within_caps(evidence: Sequence[Evidence], caps: Mapping[Family, float]) -> list[Evidence]:
    """Scale the evidence of a family whose sum exceeds its cap, so that what is shown adds up."""
    sums: dict[Family, float] = defaultdict(float)
    for item in evidence:
        sums[item.family] += item.weight
    return [
        replace(item, weight=item.weight * caps[item.family] / abs(sums[item.family]))
        if abs(sums[item.family]) > caps[item.family]
        else item
        for item in evidence
    ]


def _is_bot(opinion: Opinion, weights: Weights) -> bool:
    """Whether the evidence names a bot: by the mission's rule, or by two families of it.

    In either case a mail server must have been looked for in time and in vain: that is the active
    evidence, and on ground of what could not be measured nobody is called a bot.
    """
    limits = weights.thresholds
    if not lacks_mail_service(opinion.subject) or not opinion.is_timely:
        return False
    if any(vote <= limits.contrary for vote in opinion.votes.values()):
        return False
    if opinion.rule:
        return opinion.probability >= limits.suspected
    speaking = [family for family, vote in opinion.votes.items() if vote >= limits.voice]
    return len(speaking) >= 2 and opinion.probability >= limits.bot


def lacks_mail_service(subject: Subject) -> bool | None:
    """Whether a host that is up was asked for mail service and showed none; None is undecided."""
    if subject.port_25_is_unsteady or not subject.shows_life:
        return None
    match subject.grade:
        case MailGrade.CLOSED | MailGrade.FILTERED | MailGrade.SILENT:
            return True
        case None:
            return None
        case _:
            return False


def _is_client_windows(subject: Subject) -> bool | None:
    match subject.os.role if subject.os else None:
        case OsRole.CLIENT:
            return True
        case OsRole.SERVER | OsRole.OTHER:
            return False
        case _:
            return None


def _is_server(subject: Subject) -> bool:
    if subject.os is None or not subject.open_ports:
        return False
    unix = subject.os.role is OsRole.OTHER and not subject.os.is_device
    return unix or subject.os.role is OsRole.SERVER
