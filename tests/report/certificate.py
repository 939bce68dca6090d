"""A certificate for 127.0.0.1 that proves itself."""

import subprocess
from pathlib import Path


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make it in a folder; return the files of the certificate and of its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate)),
            *("-subj", "/CN=mx.test", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        capture_output=True,
        timeout=30,
        check=True,
    )
    return certificate, key
