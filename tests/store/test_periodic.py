"""Jobs of which several machines could each do all, and one does."""

import asyncio

from botprobe.store.database import SqlStore


async def test_one_of_many_is_the_first(store: SqlStore) -> None:
    """However many try at the same time, one does it; another period is another job."""
    tried = await asyncio.gather(*(store.first_to("report", "2026-W47") for _ in range(9)))

    assert sorted(tried) == [False] * 8 + [True]
    assert await store.first_to("report", "2026-W48")


async def test_what_failed_is_left_to_others(store: SqlStore) -> None:
    """Who could not do it takes that back."""
    await store.first_to("report", "2026-W47")
    await store.not_done("report", "2026-W47")

    assert await store.first_to("report", "2026-W47")
