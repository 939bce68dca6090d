"""What the logs know about single hosts."""

from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address

from botprobe.model.results import MailLogTraffic
from botprobe.observers.maillog.analysis import Choices, analyse
from botprobe.observers.maillog.dnstally import DnsTally
from botprobe.observers.maillog.dossier import observations, suspects
from botprobe.observers.maillog.tally import LogTally
from tests.observers.maillog.conftest import CountLines
from tests.observers.maillog.synthetic import UNKNOWN, Day, Visit, postfix_lines

MONDAY = date(2026, 9, 7)
LAST = MONDAY + timedelta(days=28)
REGULAR = tuple(f"203.0.113.{number}" for number in range(1, 31))
DRIVER = ip_address("198.51.100.7")


def _log(count_lines: CountLines, *extra: Visit) -> LogTally:
    """Return four quiet weeks, and a Monday with further visits."""
    usual = tuple(Visit(client=client, accepted=6, idle=2) for client in REGULAR)
    days = [Day(MONDAY + timedelta(days=offset), usual) for offset in range(28)]
    days.append(Day(LAST, (*usual, *extra)))
    return count_lines(postfix_lines(days), date(2026, 11, 1))


class TestSuspects:
    def test_are_the_drivers_with_their_days(self, count_lines: CountLines) -> None:
        """Nobody is probed for sending mail as usual."""
        tally = _log(count_lines, Visit(client=str(DRIVER), refused=900))

        found = suspects(analyse(tally, None, Choices()))

        assert found == {DRIVER: f"drove the abnormal load of {LAST}"}


class TestObservations:
    def test_a_driver_has_its_day_in_its_dossier(self, count_lines: CountLines) -> None:
        """What the log knows about a driver becomes an observation of its address."""
        tally = _log(count_lines, Visit(client=str(DRIVER), refused=900, reply=UNKNOWN))

        seen = observations(tally, analyse(tally, None, Choices()), UTC)

        assert len(seen) == len(REGULAR) + 1
        (driver,) = [one for one in seen if one.address == DRIVER]
        assert driver.saw == MailLogTraffic(
            connects=900,
            accepted=0,
            rejects=(("user-unknown", 900),),
            share=round(900 / (900 + 29 * 30 * 8), 6),
            driver_days=(LAST,),
        )

    def test_the_same_log_says_the_same_moment(self, count_lines: CountLines) -> None:
        """Read again, a log adds nothing: a host was last seen in the log, not by our run."""
        early = Visit(client=str(DRIVER), accepted=1)
        usual = Visit(client=REGULAR[0], accepted=60)
        days = [Day(MONDAY, (early, usual)), Day(MONDAY + timedelta(days=1), (usual,))]
        tally = count_lines(postfix_lines(days), date(2026, 11, 1))
        tally.hours = {key: hour for key, hour in tally.hours.items() if key < (LAST, 0)}

        seen = observations(tally, analyse(tally, None, Choices()), UTC)

        moments = {one.address: one.seen for one in seen}
        assert moments[DRIVER] == datetime(2026, 9, 8, tzinfo=UTC)
        assert moments[ip_address(REGULAR[0])] == datetime(2026, 9, 9, tzinfo=UTC)

    def test_a_client_without_an_address_is_in_no_dossier(self, count_lines: CountLines) -> None:
        """Whom the log does not name has no history."""
        days = [Day(MONDAY, (Visit(client="unknown", accepted=3),))]
        tally = count_lines(postfix_lines(days), date(2026, 11, 1))

        assert observations(tally, analyse(tally, None, Choices()), UTC) == []

    def test_an_empty_log_says_nothing(self) -> None:
        """Without connections there are no hosts."""
        tally = LogTally()

        assert observations(tally, analyse(tally, DnsTally(frozenset()), Choices())) == []
