"""One watch per store: who starts may take over the claims that a crash left behind."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botprobe.errors import StoreError


@contextmanager
def only_one(store: Path) -> Iterator[None]:
    """Hold a lock beside the store; the kernel ends it with the process, however that ends.

    Raises:
        StoreError: another watch works on the store, or the lock cannot be made.
    """
    path = store.with_name(store.name + ".watch")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"store {store}: another watch works on it") from error
        yield
    finally:
        os.close(descriptor)
