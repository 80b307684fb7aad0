"""Facts about the agenda: what is due when, and who is woken."""

import asyncio

from rollout.controller.agenda import Agenda
from rollout.ports import Key
from tests.controller.builders import virtually

A, B, C = Key("shop", "a"), Key("shop", "b"), Key("shop", "c")


def test_what_is_due_comes_out_earliest_first() -> None:
    """Pop gives what is due by then with its time, in order of time."""
    agenda = Agenda()
    agenda.put(A, 3)
    agenda.put(B, 1)
    agenda.put(C, 9)

    assert agenda.pop(5) == [(1, B), (3, A)]


def test_what_was_popped_is_gone() -> None:
    """A key that came out is not due again until it is put again."""
    agenda = Agenda()
    agenda.put(A, 1)
    agenda.pop(5)

    assert agenda.pop(9) == []


def test_of_two_times_the_earlier_stands() -> None:
    """A key that is put later than it is due already comes out once, at the earlier time."""
    agenda = Agenda()
    agenda.put(A, 1)
    agenda.put(A, 4)

    assert agenda.pop(9) == [(1, A)]


def test_an_earlier_time_replaces_a_later_one() -> None:
    """A key that is put earlier comes out once, then; its old place in the heap is nothing."""
    agenda = Agenda()
    agenda.put(A, 4)
    agenda.put(A, 1)

    assert agenda.pop(2) == [(1, A)]
    assert agenda.pop(9) == []


def test_a_key_can_be_put_again_while_its_old_time_is_still_there() -> None:
    """An old place in the heap does not let a key come out before the time that stands now."""
    agenda = Agenda()
    agenda.put(A, 4)
    agenda.put(A, 1)
    agenda.pop(1)
    agenda.put(A, 8)

    assert agenda.pop(5) == []
    assert agenda.pop(8) == [(8, A)]


@virtually
async def test_waiting_ends_at_the_first_time() -> None:
    """Wait returns when the first key is due, and not before."""
    agenda, loop = Agenda(), asyncio.get_running_loop()
    agenda.put(A, 7)
    agenda.put(B, 5)
    await agenda.wait(loop.time())

    assert loop.time() == 5


@virtually
async def test_waiting_does_not_wait_for_what_is_over() -> None:
    """Wait returns at once when something is due already."""
    agenda, loop = Agenda(), asyncio.get_running_loop()
    agenda.put(A, -1)
    await agenda.wait(loop.time())

    assert loop.time() == 0


@virtually
async def test_what_is_put_in_front_wakes() -> None:
    """Something due sooner than all else ends the wait at once."""
    agenda, loop = Agenda(), asyncio.get_running_loop()
    agenda.put(A, 100)
    loop.call_later(2, agenda.put, B, 2)
    await agenda.wait(loop.time())

    assert loop.time() == 2


@virtually
async def test_what_is_put_behind_does_not_wake() -> None:
    """Something due later than the first leaves the wait as it is."""
    agenda, loop = Agenda(), asyncio.get_running_loop()
    agenda.put(A, 10)
    loop.call_later(2, agenda.put, B, 50)
    await agenda.wait(loop.time())

    assert loop.time() == 10


@virtually
async def test_an_empty_agenda_waits_for_the_first_key() -> None:
    """With nothing due, wait lasts until something is put."""
    agenda, loop = Agenda(), asyncio.get_running_loop()
    loop.call_later(3600, agenda.put, A, 0)
    await agenda.wait(loop.time())

    assert loop.time() == 3600
