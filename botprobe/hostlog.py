"""The timestamped log of each address, in the order of the study (Endo 2009).

``DIRECTORY/<ip>/<ip>_<YYYYMMDDTHHMMSSZ>.log`` for people and, beside it, the case as ``.json``.
Logs are only ever added, and written whole: a crash leaves no half of one.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC
from itertools import count
from pathlib import Path

from botprobe.contract.case import case_document, rfc3339
from botprobe.contract.wording import (
    BEFORE,
    dns_line,
    further_lines,
    os_line,
    ping_line,
    ports_line,
    run_line,
    smtp_line,
)
from botprobe.errors import StoreError
from botprobe.model.target import Sighting
from botprobe.model.text import visible
from botprobe.model.verdict import Case, Verdict


@dataclass(frozen=True, slots=True)
class HostLog:
    """Writes the logs below one directory."""

    directory: Path

    def write(self, case: Case) -> Path:
        """Write both files of a case and return the path of the ``.log``.

        Raises:
            StoreError: the directory or a file cannot be written.
        """
        name = str(case.target).replace(":", "-")
        folder = self.directory / name
        stem = f"{name}_{case.started.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            path = _add(folder, stem, ".log", log_text(case))
            document = json.dumps(case_document(case), indent=2) + "\n"
            _add(folder, path.stem, ".json", document)
        except OSError as error:
            raise StoreError(f"host log {folder}: {error.strerror}") from error
        return path


def log_text(case: Case) -> str:
    """Write a case as text, one fact a line."""
    facts = case.facts
    lines = [line for sighting in case.target.sightings for line in _sighting_lines(sighting)]
    lines += [
        f"Address:   {case.target}",
        f"Run:       {run_line(case)}",
        f"Ping:      {ping_line(facts.ping)}",
        f"nmap:      {os_line(facts.os)}",
        f"Ports:     {ports_line(facts.os)}",
        f"SMTP:      {smtp_line(facts.smtp)}",
        f"DNS:       {dns_line(facts.dns)}",
        *(f"{name.capitalize() + ':':<11}{line}" for name, line in further_lines(facts)),
    ]
    if case.refused is not None:
        lines.append(f"Refused:   {visible(case.refused)}")
    return "\n".join(lines + verdict_lines(case.verdict)) + "\n"


def verdict_lines(verdict: Verdict) -> list[str]:
    """Write a verdict and its reasons, heaviest first."""
    lines = [f"Verdict:   {verdict.label}, probability {verdict.probability:.2f}"]
    lines += [
        f"           {evidence.weight:+5.2f}  {evidence.family:<10}  {visible(evidence.because)}"
        for evidence in verdict.evidence
    ]
    if verdict.prior:
        lines.append(f"           {verdict.prior:+5.2f}  {'prior':<10}  {BEFORE}")
    lines += [f"Otherwise: {visible(change)}" for change in verdict.would_change]
    return lines


def _sighting_lines(sighting: Sighting) -> list[str]:
    received = f"hop {sighting.hop}, {sighting.trust}"
    if sighting.at is not None:
        received += f", {rfc3339(sighting.at)}"
    return [
        f"From:      {visible(sighting.sender or 'unknown')}",
        f"To:        {visible(', '.join(sighting.recipients) or 'unknown')}",
        f"Mail:      {visible(sighting.message_id or 'no Message-ID')} ({visible(sighting.file)})",
        f"Received:  {received}",
        f"HELO:      {visible(sighting.helo or 'unknown')}",
    ]


def _add(folder: Path, stem: str, suffix: str, text: str) -> Path:
    """Write a new file whole; a name that is taken gets a number behind it."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=folder, prefix=".", suffix=".part"
    ) as part:
        part.write(text)
        part.flush()
        os.fsync(part.fileno())
        os.fchmod(part.fileno(), 0o640)
        for number in count(1):
            path = folder / (stem + (f"-{number}" if number > 1 else "") + suffix)
            try:
                os.link(part.name, path)
            except FileExistsError:
                continue
            return path
    raise AssertionError  # count() does not end
