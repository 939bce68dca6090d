"""The DNS model: D_q = m_SMTP N_c + m_POP3 N_p, and N_f = s N_c.

Each POP3 access asks once, for the client's name: m_POP3 is fixed at 1, because N_c and N_p rise
and fall together, and a free fit of both gives nonsense. From m_SMTP = 2 + kn (1 - q) follows kn:
what a transmitted mail asks beyond the two queries for the client's name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from botprobe.observers.maillog.figures import Figures
from botprobe.observers.maillog.fit import Line, fit_line

QUERIES_PER_POP3 = 1

# Fitted at Kumamoto University, 2003-03-14 to 2003-07-15: shown for comparison, never used.
PUBLISHED_M_SMTP = 8.8
PUBLISHED_S = 0.95
PUBLISHED_ALPHA_WEEKDAY = 0.70
PUBLISHED_ALPHA_HOLIDAY = 0.35
PUBLISHED_ALPHA_ABNORMAL = (0.21, 0.11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What the days of a log say about the server's habits."""

    dns: Line | None
    """D_q - N_p over N_c: the slope is m_SMTP. None if D_q was not measured, or too few days."""
    mails: Line | None
    """N_f over N_c: the slope is s."""
    q: float | None
    """N_rec / (N_rec + N_tr), None without deliveries."""

    @property
    def kn(self) -> float | None:
        """Queries of a transmitted mail beyond those for the client, None if not to be had."""
        if self.dns is None or self.q is None or self.q >= 1:
            return None
        return (self.dns.slope - 2) / (1 - self.q)

    def queries(self, figures: Figures) -> float | None:
        """Return the D_q that the model expects."""
        if self.dns is None:
            return None
        return self.dns.at(figures.connects) + QUERIES_PER_POP3 * figures.logins


def fit_model(days: Sequence[Figures]) -> Model:
    """Fit the model to the days."""
    asked = [day for day in days if day.queries]
    received = sum(day.received for day in days)
    delivered = received + sum(day.transmitted for day in days)
    return Model(
        dns=fit_line(
            [day.connects for day in asked],
            [(day.queries or 0) - QUERIES_PER_POP3 * day.logins for day in asked],
        ),
        mails=fit_line([day.connects for day in days], [day.mails for day in days]),
        q=received / delivered if delivered else None,
    )
