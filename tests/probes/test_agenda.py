"""When targets are asked: each in its own place of the interval, and no missed turn made up for."""

import asyncio
import time
from collections import Counter

from rollout.probes.agenda import AT_ONCE, Agenda
from tests.waiting import until


async def test_many_are_spread_over_the_interval() -> None:
    """A thousand at 1 s: no tenth of a second has twice its part."""
    agenda, loop = Agenda(lambda _late: None), asyncio.get_running_loop()
    turns = [agenda.add(f"10.0.{number // 256}.{number % 256}:80", 1.0, lambda: None) for number in range(1000)]
    tenths = Counter(int((turn.due - loop.time()) * 10) for turn in turns)
    agenda.close()

    assert max(tenths.values()) < 200
    assert all(turn.due <= loop.time() + 1 for turn in turns)


async def test_the_place_follows_from_the_name() -> None:
    """After a restart a target keeps its distance to all others."""
    agenda = Agenda(lambda _late: None)
    one, other = (agenda.add("10.0.0.1:80", 5.0, lambda: None) for _ in range(2))
    agenda.close()

    assert abs(one.due - other.due) < 0.01


async def test_each_turn_comes_after_an_interval() -> None:
    """Measured from the one before, not from when it was begun."""
    called: list[float] = []
    agenda, loop = Agenda(lambda _late: None), asyncio.get_running_loop()
    turn = agenda.add("a", 0.02, lambda: called.append(loop.time()))
    first = turn.due
    await until(lambda: len(called) >= 5)
    places = ((turn.due - first) / 0.02, round((turn.due - first) / 0.02))
    agenda.close()

    assert abs(places[0] - places[1]) < 1e-6


async def test_missed_turns_are_left_out() -> None:
    """After this process stood still there is one, not one for each that was missed; and it is told how late it was."""
    called: list[float] = []
    late: list[float] = []
    agenda, loop = Agenda(late.append), asyncio.get_running_loop()
    agenda.add("a", 0.05, lambda: called.append(loop.time()))
    await until(lambda: called)
    called.clear()
    time.sleep(0.5)
    ended = loop.time()
    await until(lambda: len(called) >= 3)
    agenda.close()

    assert max(late) > 0.3
    assert called[2] - ended > 0.05


async def test_a_turn_that_ended_does_not_come() -> None:
    """Others do."""
    called: list[str] = []
    agenda = Agenda(lambda _late: None)
    turn = agenda.add("a", 0.01, lambda: called.append("a"))
    agenda.add("b", 0.01, lambda: called.append("b"))
    turn.ended = True
    await until(lambda: called.count("b") >= 3)
    agenda.close()

    assert "a" not in called


async def test_few_are_begun_in_one_turn_of_the_loop() -> None:
    """Else a thousand that are late would keep the loop from reading what has come."""
    began: list[int] = []
    turns = [0]
    agenda, loop = Agenda(lambda _late: None), asyncio.get_running_loop()

    def tick() -> None:
        turns[0] += 1
        loop.call_soon(tick)

    for number in range(3 * AT_ONCE):
        agenda.add(f"{number}", 0.2, lambda: began.append(turns[0]))
    time.sleep(0.3)
    loop.call_soon(tick)
    await until(lambda: len(began) >= 3 * AT_ONCE)
    agenda.close()

    assert max(Counter(began).values()) <= AT_ONCE
