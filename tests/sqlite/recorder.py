"""A process that records as fast as it can and says each version that it was told is written, until it is killed."""

import asyncio
import sys
from pathlib import Path

from rollout.ports import Key
from rollout.sqlite.store import SqliteStore
from tests.contracts.builders import rollout_document, status

CHECKOUT = Key("shop", "checkout")


async def record_for_ever(path: Path) -> None:
    """Add one transition with each record, and a checkpoint between two."""
    store = await SqliteStore.open(path, limit_seconds=30)
    await store.apply(rollout_document(revision="1"))
    print("open", flush=True)  # noqa: T201 - this is how the test hears of it
    numbers = [number for entry in await store.history(CHECKOUT) if isinstance(number := entry["number"], int)]
    number = max(numbers, default=0)
    while True:
        number += 1
        last = [*range(max(1, number - 4), number + 1)]
        stored = store.read(CHECKOUT)
        assert stored is not None
        judge = {"beganAt": 1.0, "lastTickAt": float(number)}
        version = await store.record(CHECKOUT, status=status(*last, judge=judge), expected=stored.version)
        print(version, number, flush=True)  # noqa: T201 - as above
        await store.checkpoint(CHECKOUT, judge=judge | {"lastTickAt": number + 0.5}, samples={"n": number})


if __name__ == "__main__":
    asyncio.run(record_for_ever(Path(sys.argv[1])))
