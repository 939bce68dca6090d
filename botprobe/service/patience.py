"""Waiting a trouble out: a full disk or a locked file costs time, and no mail and no verdict."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from botprobe.errors import StoreError

# Seconds until the store is asked again.
RETRY = 1.0

T = TypeVar("T")
Trouble = Callable[[str], None]

logger = logging.getLogger(__name__)


async def patiently(ask: Callable[[], Awaitable[T]], trouble: Trouble) -> T:
    """Ask the store until it answers, telling each kind of failure once."""
    told = ""
    while True:
        try:
            return await ask()
        except StoreError as error:
            if str(error) != told:
                told = str(error)
                trouble(f"{error}; trying again")
            await asyncio.sleep(RETRY)
