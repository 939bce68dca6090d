"""The case document that other programs, and our own store, read."""

import json
from dataclasses import replace

import pytest
from hypothesis import given

from botprobe.contract.case import (
    case_document,
    case_from_document,
    facts_document,
    facts_from_document,
)
from botprobe.errors import ParseError
from botprobe.model.facts import Facts
from tests.cases import bot_case, facts_of_any_kind


class TestFactsDocument:
    @given(facts_of_any_kind)
    def test_reads_back_what_was_written(self, facts: Facts) -> None:
        """Stored facts can be judged anew: nothing that was measured is lost in JSON."""
        document = json.loads(json.dumps(facts_document(facts)))

        assert facts_from_document(document) == facts

    def test_has_a_place_for_every_probe_of_the_contract(self) -> None:
        """A reader finds each fact under its name, asked or not."""
        document = facts_document(Facts())

        assert set(document) >= {
            "ping",
            "os",
            "smtp",
            "dns",
            "dnsbl",
            "windows",
            "proxy",
            "traffic",
        }
        assert all(fact["measured"] is False for fact in document.values())

    def test_says_what_the_measurements_mean(self) -> None:
        """Role, family and function stand beside what the host said."""
        document = facts_document(bot_case().facts)

        assert document["ping"]["alive"] is True
        assert document["os"]["role"] == "client"
        assert document["os"]["ports"] == {"25": "closed", "445": "open"}
        assert document["smtp"]["function"] == "none"


class TestCaseDocument:
    def test_reads_back_what_was_written(self) -> None:
        """A case survives the store whole."""
        case = bot_case()

        assert case_from_document(json.loads(json.dumps(case_document(case)))) == case

    def test_names_the_mission_s_rule(self) -> None:
        """The rule of the study stays visible as itself."""
        document = case_document(bot_case())

        assert document["verdict"]["rule_client_windows_without_mail_service"] is True
        assert document["probed"] is True

    def test_a_refused_case_was_not_probed(self) -> None:
        """Who reads only ``probed`` is not misled."""
        document = case_document(replace(bot_case(), refused="opted out"))

        assert (document["probed"], document["refused"]) == (False, "opted out")

    @pytest.mark.parametrize("damage", [{}, {"ip": "198.18.0"}, {"facts": None}, {"verdict": {}}])
    def test_a_damaged_document_is_a_parse_error(self, damage: dict[str, object]) -> None:
        """A store that was tampered with gives one clear error."""
        document = case_document(bot_case()) | damage if damage else {}

        with pytest.raises(ParseError, match="not a botprobe/case/1 document"):
            case_from_document(document)
