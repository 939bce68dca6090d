"""What another place saw of a host: what is filtered on the way to one may be open to the other."""

from datetime import datetime, timedelta

from botprobe.classify.mailfunction import SmtpFunction, mail_function
from botprobe.classify.system import read_system
from botprobe.model.facts import NOT_ASKED
from botprobe.model.outcome import Measured, Outcome
from botprobe.model.results import ElsewhereResult
from botprobe.model.verdict import Case

# Two looks that lie further apart may differ because the host does, or its address is another's.
SAME_TIME = timedelta(hours=24)


def seen_elsewhere(
    before: Case | None, here: str | None, now: datetime
) -> Outcome[ElsewhereResult]:
    """Turn the look before into a fact, if it was from another place, and not long ago.

    Args:
        before: the newest case in which the host was probed.
        here: the place that is looked from now, None if there is but one.
        now: the time of this look.
    """
    if before is None or here is None or before.vantage in {None, here}:
        return NOT_ASKED
    if not timedelta(0) <= now - before.started <= SAME_TIME:
        return NOT_ASKED
    ping, smtp = before.facts.ping, before.facts.smtp
    spoke = mail_function(before.facts) in {SmtpFunction.GREETS, SmtpFunction.MAIL_SERVER}
    seen = ElsewhereResult(
        vantage=before.vantage or "",
        alive=ping.result.alive if isinstance(ping, Measured) else None,
        port=smtp.result.port if isinstance(smtp, Measured) else None,
        greeted=spoke and not read_system(before.facts).answers_everywhere,
    )
    return Measured(seen, before.started, before.seconds)
