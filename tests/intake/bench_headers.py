"""How right and how fast `botprobe headers` reads, beside the libraries in use.

Run by ``scripts/bench-headers``. Times are CPU seconds of the best of several rounds, and each
reader runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from botprobe.intake.clauses import split_clauses
from botprobe.intake.header import MAX_HEADER_BYTES
from botprobe.intake.message import read_mail
from tests.intake import corpus

FIELD_FILES = ("sa_cases", "mta_template_cases", "orangeassassin_cases", "sa_silver_cases")
ATTACK_FILES = ("adversarial_cases", "adversarial_extra_cases")

# Hand-made judgements on the lines that SpamAssassin reads differently, by hash and line.
VERDICTS = Path(__file__).with_name("adjudicated.json")

SIZES = {"3 KB": 3_000, "50 KB": 50_000, "5 MB": 5_000_000}

Reader = Callable[[Path], object]


def main() -> int:
    """Print all figures; the exit code is 1 where an accuracy misses its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accuracy", action="store_true", help="leave the speed out")
    parser.add_argument("--measure", nargs=3, metavar=("READER", "FILE", "SECONDS"))
    options = parser.parse_args()
    if options.measure:
        reader, file, seconds = options.measure
        print(json.dumps(_measure(READERS[reader](), Path(file), float(seconds))))
        return 0
    missed = print_accuracy() if corpus.RECEIVED.is_dir() else _no_material()
    if not options.accuracy:
        print_speed()
        print_hostile()
    return missed


def _no_material() -> int:
    print(f"no test material in {corpus.DATA.name}/: accuracy not measured")
    return 0


def print_accuracy() -> int:
    """Print the share of right answers per file."""
    print("accuracy (right/asked)")
    missed = 0
    for name in FIELD_FILES:
        score = corpus.score_fields(corpus.load_cases(name))
        missed |= _print_score(name, score, target=name in FIELD_FILES[:2])
    missed |= _print_score(
        "sa_trust_cases", corpus.score_trust(corpus.load_cases("sa_trust_cases")), target=True
    )
    for name in ATTACK_FILES:
        score = corpus.score_attacks(corpus.load_cases(name))
        missed |= _print_score(name, score, target=True)
    return missed | print_comparison()


def _print_score(name: str, score: corpus.Score, *, target: bool) -> int:
    print(f"  {name}: {score}")
    missed = target and bool(score.wrong)
    for wrong in score.wrong if missed else ():
        print(f"    wrong: {wrong}")
    return int(missed)


def print_comparison() -> int:
    """Print how the differences from SpamAssassin on real mail were judged."""
    compared = corpus.compare_with_spamassassin()
    verdicts: dict[str, str] = json.loads(VERDICTS.read_text(encoding="utf-8"))["verdicts"]
    counts = Counter(verdicts.get(each.key, "not judged") for each in compared.differences)
    right = compared.lines - counts["theirs right"] - counts["not judged"]
    print(
        f"  real mail: {compared.lines} lines with an address, {right / compared.lines:.3%} right"
    )
    for verdict, count in sorted(counts.items()):
        print(f"    {count:4} read differently from SpamAssassin: {verdict}")
    return int(right < 0.999 * compared.lines)


def _sample_header() -> bytes:
    """A header of the usual size: three hops and the fields of an ordinary mail."""
    received = (
        (
            "from mx1.example.org (mx1.example.org [10.1.2.3])\n"
            "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\n"
            "\t(No client certificate requested)\n"
            "\tby imap.example.org (Postfix) with ESMTPS id 4XYZ1200AB\n"
            "\tfor <u@example.org>; Mon,  5 Oct 2026 09:12:46 +0200 (CEST)"
        ),
        (
            "from dyn-23.example.net (unknown [192.0.2.23])\n"
            "\tby mx1.example.org (Postfix) with ESMTP id 4XYZ12\n"
            "\tfor <u@example.org>; Mon,  5 Oct 2026 09:12:44 +0200 (CEST)"
        ),
        (
            "from laptop ([198.51.100.7] helo=laptop) by mail.example.net with esmtpa (Exim 4.97)\n"
            "\t(envelope-from <s@example.net>) id 1qoXYZ-000123-1A\n"
            "\tfor u@example.org; Mon, 05 Oct 2026 09:12:40 +0200"
        ),
    )
    others = (
        ("Return-Path", "<s@example.net>"),
        ("Delivered-To", "u@example.org"),
        *(("Received", value) for value in received),
        (
            "DKIM-Signature",
            "v=1; a=rsa-sha256; d=example.net; s=k1;\n\tbh=" + "A" * 44 + "=;\n\tb=" + "B" * 340,
        ),
        ("From", '"Some Body" <s@example.net>'),
        ("To", "u@example.org"),
        ("Subject", "an ordinary subject"),
        ("Date", "Mon, 05 Oct 2026 09:12:39 +0200"),
        ("Message-ID", "<1234567890@example.net>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", "8bit"),
        ("X-Mailer", "Some Mailer 1.0"),
        ("List-Unsubscribe", "<https://example.net/u/" + "c" * 60 + ">"),
    )
    return "".join(f"{name}: {value}\n" for name, value in others).encode()


def _botprobe() -> Reader:
    def read(path: Path) -> object:
        with path.open("rb") as stream:
            return read_mail(stream.read(MAX_HEADER_BYTES + 1), str(path))

    return read


def _mail_parser() -> Reader:
    import mailparser  # noqa: PLC0415  # a peer, installed for the benchmark only

    return lambda path: mailparser.parse_from_file(str(path)).received


def _eml_parser() -> Reader:
    import eml_parser  # noqa: PLC0415  # a peer, installed for the benchmark only

    parser = eml_parser.EmlParser()
    return lambda path: parser.decode_email_bytes(path.read_bytes())["header"]["received"]


def _stdlib() -> Reader:
    from email.parser import BytesHeaderParser  # noqa: PLC0415  # measured beside the others

    parser = BytesHeaderParser()

    def read(path: Path) -> object:
        with path.open("rb") as stream:
            block = stream.read(MAX_HEADER_BYTES).partition(b"\n\n")[0]
        return parser.parsebytes(block).get_all("received")

    return read


READERS: dict[str, Callable[[], Reader]] = {
    "botprobe": _botprobe,
    "standard library": _stdlib,
    "mail-parser": _mail_parser,
    "eml_parser": _eml_parser,
}


def _measure(reader: Reader, file: Path, seconds: float) -> tuple[float, float]:
    """Messages per CPU second in the best of five rounds, and the peak memory in MB."""
    best = 0.0
    for _ in range(5):
        count, start = 0, time.process_time()
        while (spent := time.process_time() - start) < seconds / 5:
            for _ in range(10 if spent < 0.01 or count > 100 else 1):
                reader(file)
                count += 1
        best = max(best, count / spent)
    return best, _peak_memory()


def _peak_memory() -> float:
    """Megabytes; not ru_maxrss, which a program inherits from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def print_speed() -> None:
    """Print messages per CPU second and peak memory of each reader at each size."""
    print("speed (messages per CPU second, peak memory), three hops per mail")
    with tempfile.TemporaryDirectory() as folder:
        for label, size in SIZES.items():
            header = _sample_header()
            file = Path(folder) / f"{size}.eml"
            file.write_bytes(
                (header + b"\n" + b"spam and eggs, again and again\n" * (size // 31))[:size]
            )
            for name in READERS:
                print(f"  {label}, {name}: {_in_own_process(name, file)}")


def _in_own_process(name: str, file: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "tests.intake.bench_headers",
        "--measure",
        name,
        str(file),
        "3",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"not measured ({done.stderr.strip().splitlines()[-1]})"
    rate, memory = json.loads(done.stdout)
    return f"{rate:,.0f}/s, {memory:.0f} MB"


def print_hostile() -> None:
    """Print the time for hostile headers, which must grow no faster than their length."""
    print("hostile headers (CPU milliseconds for 64 KiB, 256 KiB and 1 MiB)")
    for name, (start, unit) in HOSTILE.items():
        times = [_time_hostile(start, unit, size) for size in HOSTILE_SIZES]
        print(f"  {name}: " + ", ".join(f"{1000 * each:.1f}" for each in times))
    print("one field of that length, taken apart without any bound")
    for name, (start, unit) in HOSTILE.items():
        field = (start.partition(b": ")[2] + unit).decode()
        times = [_least(split_clauses, field * (size // len(field))) for size in HOSTILE_SIZES]
        print(f"  {name}: " + ", ".join(f"{1000 * each:.1f}" for each in times))


HOSTILE_SIZES = (2**16, 2**18, 2**20)
HOSTILE = {
    "one endless field": (b"Received: from ", b"a"),
    "nested parentheses": (b"Received: from x ", b"("),
    "comments": (b"Received: from x ", b"(x) "),
    "unclosed quotes": (b'Received: from x "', b'\\"'),
    "spaces": (b"Received: from x", b" "),
    "semicolons": (b"Received: from x by y", b";"),
    "signs of addresses": (b"Received: from x (", b"1.2.3.4@["),
    "tiny fields": (b"", b"Received: x\n"),
    "hops": (b"", b"Received: from a (b [192.0.2.1]) by c with SMTP; 5 Oct 2026 07:12:44 -0000\n"),
    "recipients": (b"To: ", b"a@b.c, "),
}


def _time_hostile(start: bytes, unit: bytes, size: int) -> float:
    data = (start + unit * (size // len(unit)))[:size]
    return _least(lambda: read_mail(data, "hostile"))


def _least(call: Callable[..., object], *arguments: object) -> float:
    """The CPU seconds of the fastest of five calls: other programs only ever add."""
    times = []
    for _ in range(5):
        begin = time.process_time()
        call(*arguments)
        times.append(time.process_time() - begin)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
