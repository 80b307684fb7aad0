"""Places for passes: how many at once, in which order, and that none is ever lost."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from rollout.controller.lanes import Lanes
from rollout.ports import Key
from tests.controller.builders import virtually


class Passes:
    """Passes that hold their place until they are let go."""

    def __init__(self, most: int, kept: int) -> None:
        self.lanes = Lanes(most, kept)
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, name: str, *, urgent: bool = False) -> None:
        """Begin a pass, and return when nothing more happens."""
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._run(name, urgent=urgent))
        await settled()

    async def end(self, name: str) -> None:
        """Let it end."""
        self._ends[name].set()
        await settled()

    async def cancel(self, name: str) -> None:
        """Cancel it, waiting or not."""
        self.tasks[name].cancel()
        await settled()

    async def _run(self, name: str, *, urgent: bool) -> None:
        async with self.lanes.place(Key("shop", name), urgent=urgent):
            self.begun.append(name)
            await self._ends[name].wait()


async def settled() -> None:
    """Give every task some rounds of the loop."""
    for _ in range(5):
        await asyncio.sleep(0)


@virtually
async def test_only_so_many_run_at_once() -> None:
    """The rest begins when one has ended, in order."""
    passes = Passes(3, 1)
    for name in "abcd":
        await passes.begin(name)
    before = list(passes.begun)
    await passes.end("a")

    assert before == ["a", "b"]
    assert passes.begun == ["a", "b", "c"]
    for name in "bcd":
        await passes.end(name)


@virtually
async def test_an_urgent_pass_finds_a_place_that_is_kept_for_it() -> None:
    """However many others run and wait."""
    passes = Passes(3, 1)
    for name in "abcd":
        await passes.begin(name)
    await passes.begin("urgent", urgent=True)

    assert passes.begun == ["a", "b", "urgent"]
    for name in ("urgent", *"abcd"):
        await passes.end(name)


@virtually
async def test_an_urgent_pass_goes_before_those_that_wait() -> None:
    """Where its places are taken, too, the next free one is its."""
    passes = Passes(2, 1)
    for name in "abc":
        await passes.begin(name)
    await passes.begin("first", urgent=True)
    await passes.begin("second", urgent=True)
    await passes.end("a")

    assert passes.begun == ["a", "first", "second"]
    for name in ("first", "second", "b", "c"):
        await passes.end(name)


@virtually
async def test_a_pass_that_waits_may_become_urgent() -> None:
    """It leaves the queue of those that can wait."""
    passes = Passes(3, 1)
    for name in "abcd":
        await passes.begin(name)
    passes.lanes.hurry(Key("shop", "d"))
    await settled()

    assert passes.begun == ["a", "b", "d"]
    for name in "dabc":
        await passes.end(name)


@virtually
async def test_one_that_does_not_wait_need_not_hurry() -> None:
    """Nothing is changed by it."""
    passes = Passes(2, 1)
    passes.lanes.hurry(Key("shop", "a"))
    await passes.begin("a")

    assert passes.begun == ["a"]
    await passes.end("a")


DOINGS = st.sampled_from(["begin", "urgent", "end", "cancel", "hurry"])


@given(st.lists(st.tuples(DOINGS, st.integers(0, 9)), max_size=60))
def test_no_place_is_ever_lost(steps: list[tuple[str, int]]) -> None:
    """Whatever begins, ends, hurries or is cancelled, afterwards all places are free again."""
    played(steps)


@virtually
async def played(steps: list[tuple[str, int]]) -> None:
    """Do all that, end all, and look whether as many as before find a place."""
    passes = Passes(3, 1)
    for place, (what, number) in enumerate(steps):
        await _do(passes, what, number, f"p{place}")
    for name in passes.tasks:
        await passes.end(name)
    ended = await asyncio.gather(*passes.tasks.values(), return_exceptions=True)
    for name in "xyz":
        await passes.begin(name, urgent=name == "z")

    assert not [found for found in ended if isinstance(found, Exception)]
    assert passes.begun[-3:] == ["x", "y", "z"]
    for name in "xyz":
        await passes.end(name)


async def _do(passes: Passes, what: str, number: int, fresh: str) -> None:
    names = list(passes.tasks)
    if what in {"begin", "urgent"}:
        await passes.begin(fresh, urgent=what == "urgent")
    elif names and what == "hurry":
        passes.lanes.hurry(Key("shop", names[number % len(names)]))
    elif names:
        await (passes.end if what == "end" else passes.cancel)(names[number % len(names)])
