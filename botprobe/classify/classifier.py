"""The verdict: Endo's rule, visible as itself, and beside it what all evidence adds up to.

Rules find, the table weighs, families vote once each within their bounds; the sum of the prior and
all evidence shown is the log-odds of the probability. How a label follows from it is explained in
docs/decisions/0003-verdict.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from botprobe.classify.alternatives import alternatives
from botprobe.classify.mailfunction import MailGrade
from botprobe.classify.oscatalog import OsRole
from botprobe.classify.receipt import read_receipts
from botprobe.classify.rules import GROUPS
from botprobe.classify.rules.base import Found, Rule
from botprobe.classify.subject import Subject, read_subject
from botprobe.classify.weights import Lag, Weights, probability_of
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.target import Target
from botprobe.model.verdict import Evidence, Family, Label, Verdict

ACTIVE_FAMILIES = frozenset({Family.OS, Family.SERVICE, Family.PROXY, Family.TRAFFIC})
"""Families that stand on what the host itself did when it was measured."""

_FADING = ACTIVE_FAMILIES | {Family.RECEIPT}
"""Families about the host alone, not about the line, which whoever has it next inherits."""

Finding = tuple[Rule, float, str]
"""A rule that applies, what it weighs here, and its clause."""

_IS_CLIENT = {OsRole.CLIENT: True, OsRole.SERVER: False, OsRole.OTHER: False}
_NO_MAIL_SERVICE = frozenset({MailGrade.CLOSED, MailGrade.FILTERED, MailGrade.SILENT})
_MAIL_SERVERS = frozenset({MailGrade.GREETS, MailGrade.SPEAKS, MailGrade.OWN_NAME})

# As many as a reader takes in; the nearest ones.
MAX_CHANGES = 4


class Kept(NamedTuple):
    """Parts of their weights, 0 to 1, that findings about a line of changing customers keep."""

    probed: float
    """Of what was found by asking, and at delivery."""
    observed: float
    """Of what observers saw."""


_FRESH = Kept(1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A verdict in the making."""

    subject: Subject
    lacks_mail_service: bool | None
    """Whether it is up and showed no mail service; None is undecided."""
    rule: bool | None
    """Client Windows without a mail service (Endo 2009); None is undecided."""
    sides: Sequence[tuple[object, ...]]
    """What each group of rules looked at."""
    found: Sequence[Sequence[Found]]
    """What each group of rules found."""
    findings: Sequence[Finding]
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
    holds_after = weights.holds_after
    receipts = read_receipts(target, holds_after)
    opinion = form_opinion(read_subject(facts, receipts, weights.zones), weights, lag_seconds)
    label = choose_label(opinion, weights)
    changes = []
    for other in alternatives(facts, target, lag_seconds):
        seen = receipts if other.target is target else read_receipts(other.target, holds_after)
        subject = read_subject(other.facts, seen, weights.zones, opinion.subject)
        changed = form_opinion(subject, weights, other.lag_seconds, opinion)
        if (new := choose_label(changed, weights)) is not label:
            # Rounded: which of two equals is shown must not hang on the last bit of a float.
            distance = round(abs(changed.log_odds - opinion.log_odds), 9)
            changes.append((distance, f"{other.clause} would make it {new}"))
    return Verdict(
        label=label,
        probability=opinion.probability,
        client_windows_without_mail_service=opinion.rule,
        prior=weights.prior,
        evidence=_as_evidence(opinion.findings),
        would_change=tuple(clause for _, clause in sorted(changes)[:MAX_CHANGES]),
        rules=weights.label,
    )


def not_probed(reason: str, weights: Weights) -> Verdict:
    """Judge an address that no packet was sent to: nothing was learnt, so the prior stands."""
    return Verdict(
        label=Label.NOT_PROBED,
        probability=probability_of(weights.prior),
        prior=weights.prior,
        would_change=(f"a probe, which was refused: {reason}",),
        rules=weights.label,
    )


def form_opinion(
    subject: Subject, weights: Weights, lag_seconds: float | None, like: Opinion | None = None
) -> Opinion:
    """Collect and weigh the evidence.

    Args:
        subject: the host.
        weights: the table of weights.
        lag_seconds: as ``judge`` takes it.
        like: an opinion on the same host by other facts; what was found on sides that both share
            is taken from it.
    """
    kept, is_timely = _FRESH, True
    if subject.naming.may_change_hands:
        kept = _kept(subject.facts, weights.lag, lag_seconds)
        is_known = lag_seconds is not None or not subject.receipt.named
        is_timely = is_known and kept.probed >= weights.thresholds.fresh
    sides = [group.looks_at(subject) for group in GROUPS]
    found = _found(subject, sides, like)
    findings, votes = _within_caps(_weighed(chain(*found), weights, kept), weights.caps)
    lacking = _lacks_mail_service(subject)
    return Opinion(
        subject=subject,
        lacks_mail_service=lacking,
        rule=_both(_is_client_windows(subject), lacking),
        sides=sides,
        found=found,
        findings=findings,
        votes=votes,
        log_odds=weights.prior + sum(weight for _, weight, _ in findings),
        is_timely=is_timely,
    )


def _both(one: bool | None, other: bool | None) -> bool | None:
    """Join the halves of the rule as Kleene's three-valued "and" does.

    A Linux host fails it whatever its port 25 does, and so does a host that greets, whatever it
    runs on; one half that is open leaves the rule open if the other does not settle it.
    """
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def choose_label(opinion: Opinion, weights: Weights) -> Label:
    """Name the host, the gravest label that its evidence carries first."""
    if opinion.subject.open_doors:
        # Proven, whatever else it is: its owner is to be told another thing.
        return Label.OPEN_PROXY
    return _suspicion(opinion, weights) or _function(opinion.subject)


def _suspicion(opinion: Opinion, weights: Weights) -> Label | None:
    subject = opinion.subject
    if _is_bot(opinion, weights):
        # Shared: whoever it is, it is one of several. Only claimed: it may be a bot, and still
        # have nothing to do with the mail, whose writer may have picked its address.
        nameless = subject.is_shared or subject.receipt.only_claimed
        return Label.SUSPECTED_BOT if nameless else Label.BOT
    likely = opinion.probability >= weights.thresholds.suspected
    return Label.SUSPECTED_BOT if likely and not subject.is_shared else None


def _function(subject: Subject) -> Label:
    if subject.grade in _MAIL_SERVERS or subject.greeted_elsewhere:
        return Label.MAIL_SERVER
    if subject.is_shared:
        return Label.NAT_OR_SHARED
    if subject.is_silent:
        return Label.UNREACHABLE
    return Label.OTHER_SERVER if _is_server(subject) else Label.UNKNOWN


def _found(
    subject: Subject, sides: Sequence[tuple[object, ...]], like: Opinion | None
) -> Sequence[Sequence[Found]]:
    if like is None:
        return [group.find(subject) for group in GROUPS]
    return [
        found if side == known else group.find(subject)
        for group, side, known, found in zip(GROUPS, sides, like.sides, like.found, strict=True)
    ]


def _kept(facts: Facts, lag: Lag, lag_seconds: float | None) -> Kept:
    """Say what is left of the weights of what was seen at another time than the delivery."""
    kept = lag.kept(lag_seconds or 0.0)
    outcomes = (facts.ping, facts.os, facts.smtp)
    probed = next((seen.started for seen in outcomes if isinstance(seen, Measured)), None)
    if probed is None or not isinstance(facts.traffic, Measured):
        return Kept(kept, kept)
    between = abs((probed - facts.traffic.started).total_seconds())
    return Kept(kept, kept * lag.kept(between))


def _weighed(found: Iterable[Found], weights: Weights, kept: Kept) -> list[Finding]:
    table = weights.rules
    if kept == _FRESH:
        return [(rule, table[rule.name], because) for rule, because in found]
    return [_faded(rule, table[rule.name], because, kept) for rule, because in found]


def _faded(rule: Rule, weight: float, because: str, kept: Kept) -> Finding:
    """Weaken what was seen at another time against a host; what excuses it keeps its weight."""
    observed = rule.family is Family.TRAFFIC
    share = kept.observed if observed else kept.probed
    if share >= 1 or weight <= 0 or rule.family not in _FADING:
        return rule, weight, because
    when = "seen at another time" if observed else "probed late"
    return rule, weight * share, f"{because} ({when}, {share:.0%} of its weight)"


def _within_caps(
    findings: list[Finding], caps: Mapping[Family, float]
) -> tuple[list[Finding], Mapping[Family, float]]:
    """Scale the evidence of a family whose sum exceeds its cap, so that what is shown adds up.

    Returns:
        The evidence, and the vote of each family.
    """
    votes = _votes(findings)
    over = [family for family, vote in votes.items() if abs(vote) > caps[family]]
    if not over:
        return findings, votes
    scales = {family: caps[family] / abs(votes[family]) for family in over}
    scaled = [
        (rule, weight * scales.get(rule.family, 1.0), because) for rule, weight, because in findings
    ]
    return scaled, _votes(scaled)


def _votes(findings: Iterable[Finding]) -> Mapping[Family, float]:
    votes: dict[Family, float] = {}
    for rule, weight, _ in findings:
        votes[rule.family] = votes.get(rule.family, 0.0) + weight
    return votes


def _as_evidence(findings: Iterable[Finding]) -> tuple[Evidence, ...]:
    """Write findings down for a report, heaviest first."""
    evidence = (
        Evidence(rule=rule.name, family=rule.family, weight=weight, because=because)
        for rule, weight, because in findings
    )
    return tuple(sorted(evidence, key=lambda item: (-abs(item.weight), item.rule)))


def _is_bot(opinion: Opinion, weights: Weights) -> bool:
    """Whether the evidence names a bot: by Endo's rule, or by two families of it.

    In either case a mail server must have been looked for in time and in vain: that is the active
    evidence, and on ground of what could not be measured nobody is called a bot.
    """
    limits = weights.thresholds
    if not opinion.lacks_mail_service or not opinion.is_timely:
        return False
    if any(vote <= limits.contrary for vote in opinion.votes.values()):
        return False
    if opinion.rule:
        return opinion.probability >= limits.suspected
    speaking = [family for family, vote in opinion.votes.items() if vote >= limits.voice]
    return len(speaking) >= 2 and opinion.probability >= limits.bot


def _lacks_mail_service(subject: Subject) -> bool | None:
    """Whether a host that is up was asked for mail service and showed none; None is undecided.

    Who shows it to another place is undecided: what failed here is our way to it.
    """
    if subject.port_25_is_unsteady or subject.greeted_elsewhere or not subject.shows_life:
        return None
    return None if subject.grade is None else subject.grade in _NO_MAIL_SERVICE


def _is_client_windows(subject: Subject) -> bool | None:
    return _IS_CLIENT.get(subject.os.role) if subject.os else None


def _is_server(subject: Subject) -> bool:
    if subject.os is None or not subject.system.open_ports:
        return False
    unix = subject.os.role is OsRole.OTHER and not subject.os.is_device
    return unix or subject.os.role is OsRole.SERVER
