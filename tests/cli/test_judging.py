"""``botprobe evaluate``, ``botprobe rejudge`` and ``botprobe host --rejudge``, on a small store."""

import asyncio
import json
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from botprobe.cli.app import app
from botprobe.cli.evaluate import MAX_LABELS
from botprobe.errors import InputError
from botprobe.model.facts import Facts
from botprobe.model.target import Target
from botprobe.model.verdict import Case, Label, Verdict
from botprobe.store.sqlite import SqliteStore
from tests.cases import HOST, bot_case

OTHER = ip_address("198.18.10.2")
REFUSED = "198.18.10.3"


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """A runner far from the user's own configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("BOTPROBE_STORE_PATH", json.dumps(str(tmp_path / "cases.sqlite")))
    monkeypatch.setenv("BOTPROBE_VERDICT_LAG_WEAKENS", "false")
    monkeypatch.delenv("BOTPROBE_CONFIG", raising=False)
    asyncio.run(keep(tmp_path / "cases.sqlite", misjudged(), misjudged(OTHER)))
    return CliRunner()


def misjudged(address: object = HOST) -> Case:
    """A bot that older rules took for nothing."""
    case = bot_case()
    assert case.verdict.label is Label.BOT
    return replace(
        case,
        target=Target(ip_address(str(address)), case.target.sightings),
        verdict=replace(case.verdict, label=Label.UNKNOWN, probability=0.25),
    )


async def keep(path: Path, *cases: Case) -> None:
    """Fill a store."""
    async with SqliteStore(path) as store:
        for case in cases:
            await store.add_case(case)


def run(runner: CliRunner, *arguments: str | Path) -> Result:
    """Run a command that must succeed."""
    result = runner.invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


class TestEvaluate:
    @pytest.fixture
    def labels(self, tmp_path: Path) -> Path:
        """One host of the store is a bot, the other is not, a third is unheard of."""
        path = tmp_path / "labels.csv"
        path.write_text(f"ip,truth\n{HOST},bot\n{OTHER},printer\n198.18.99.9,bot\n", "ascii")
        return path

    def test_compares_stored_verdicts_with_the_truth(self, runner: CliRunner, labels: Path) -> None:
        """Nobody was called a bot: no precision, and no recall."""
        figures = json.loads(run(runner, "evaluate", "--labels", labels, "--json").stdout)

        assert figures["schema"] == "botprobe/evaluation/1"
        assert (figures["hosts"], figures["missing"]) == (2, 1)
        assert figures["precision"]["value"] is None
        assert figures["recall"]["value"] == 0

    def test_judges_anew_where_it_is_told_to(self, runner: CliRunner, labels: Path) -> None:
        """Today's rules call both hosts bots, and one of them is."""
        result = run(runner, "evaluate", "--labels", labels, "--rejudge", "--json")
        figures = json.loads(result.stdout)

        assert (figures["precision"]["hits"], figures["precision"]["total"]) == (1, 2)
        assert figures["recall"]["value"] == 1
        assert {"truth": "printer", "label": "bot", "hosts": 1} in figures["confusion"]

    def test_shows_the_matrix_on_screen(self, runner: CliRunner, labels: Path) -> None:
        """People read the same figures in a table."""
        shown = run(runner, "evaluate", "--labels", labels, "--rejudge").stdout

        assert "0.5000  (1 of 2; 95 %: 0.0945-0.9055)" in shown
        assert "2 hosts; 1 of the table were never investigated" in shown

    def test_an_unreadable_table_is_one_line(self, runner: CliRunner, tmp_path: Path) -> None:
        """A wrong path is not a traceback."""
        result = runner.invoke(app, ["evaluate", "--labels", str(tmp_path / "none.csv")])

        assert isinstance(result.exception, InputError)
        assert str(result.exception).endswith("none.csv: No such file or directory")

    def test_a_file_without_end_is_not_read_to_it(self, runner: CliRunner, tmp_path: Path) -> None:
        """Somebody names a device, or the wrong file of two gigabytes."""
        huge = tmp_path / "huge.csv"
        with huge.open("wb") as file:
            file.truncate(MAX_LABELS + 1)

        result = runner.invoke(app, ["evaluate", "--labels", str(huge)])

        assert str(result.exception) == f"{huge} is larger than 64 MiB"


class TestRejudge:
    def test_who_was_not_probed_gets_the_prior_of_today(
        self, runner: CliRunner, tmp_path: Path
    ) -> None:
        """Older stores say even odds of them; the reason stays, and the label."""
        old = Verdict(label=Label.NOT_PROBED, probability=0.5, would_change=("a probe",))
        case = replace(misjudged(REFUSED), facts=Facts(), verdict=old, refused="opted out")
        asyncio.run(keep(tmp_path / "cases.sqlite", case))

        run(runner, "rejudge", "--write")

        document = json.loads(run(runner, "host", REFUSED, "--json").stdout)
        verdict = document["cases"][0]["verdict"]
        assert (verdict["label"], verdict["probability"]) == ("not-probed", 0.26)
        assert "opted out" in verdict["would_change"][0]

    def test_shows_whose_label_changes_and_keeps_the_old(self, runner: CliRunner) -> None:
        """Without --write the store stays as it is."""
        shown = run(runner, "rejudge").stdout
        again = run(runner, "rejudge").stdout

        assert "2  unknown -> bot" in shown
        assert "2 hosts judged" in shown
        assert again == shown

    def test_writes_the_new_verdicts(self, runner: CliRunner, tmp_path: Path) -> None:
        """Facts stay, verdicts change, and the weekly figures follow."""
        run(runner, "rejudge", "--write")

        assert "labels changed: 0" in run(runner, "rejudge").stdout
        (document,) = json.loads(run(runner, "host", str(HOST), "--json").stdout)["cases"]
        assert document["verdict"]["label"] == "bot"
        assert document["facts"]["os"]["matches"] != []
        assert asyncio.run(standings(tmp_path / "cases.sqlite")) == {Label.BOT}

    def test_gives_the_changed_cases_as_json(self, runner: CliRunner) -> None:
        """Other programs read the cases as they read all others."""
        lines = run(runner, "rejudge", "--jsonl").stdout.splitlines()

        assert {json.loads(line)["ip"] for line in lines} == {str(HOST), str(OTHER)}


class TestHost:
    def test_judges_anew_where_it_is_told_to(self, runner: CliRunner) -> None:
        """What the store keeps, and what today's rules make of it."""
        (kept,) = json.loads(run(runner, "host", str(HOST), "--json").stdout)["cases"]
        result = run(runner, "host", str(HOST), "--rejudge", "--json")
        (today,) = json.loads(result.stdout)["cases"]

        assert kept["verdict"]["label"] == "unknown"
        assert today["verdict"]["label"] == "bot"
        assert kept["facts"] == today["facts"]

    @pytest.mark.parametrize(("form", "shown"), [("--json", "{"), ("--jsonl", "{"), (None, "")])
    def test_a_page_takes_no_other_form_away(
        self, runner: CliRunner, tmp_path: Path, form: str | None, shown: str
    ) -> None:
        """As with scan: the page is a file, and what else was asked for is printed."""
        page = tmp_path / "host.html"

        result = run(runner, "host", str(HOST), "--html", page, *([form] if form else []))

        assert str(HOST) in page.read_text("utf-8")
        assert result.stdout[:1] == shown


async def standings(path: Path) -> set[Label]:
    """The labels of the weekly roll-up."""
    from sqlalchemy import create_engine, text  # noqa: PLC0415  # behind the store's back

    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        query = text("SELECT label FROM standing JOIN host_week ON standing.id = standing")
        found = {Label(label) for label in connection.scalars(query)}
    engine.dispose()
    return found
