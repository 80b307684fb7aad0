"""What delivery costs: a pass asks in microseconds, and ten thousand Rollouts take a bounded memory."""

import time
import tracemalloc

from rollout.engine.observation import Cursor
from rollout.engine.state import State
from rollout.notify.delivery.book import Book
from rollout.notify.delivery.options import Reach
from rollout.ports import Key, StoredRollout
from tests.notify.delivery.world import World, key, sink

ROLLOUTS = 10_000
SINKS = tuple(sink(f"sink-{number}", every=True) for number in range(5))


def _book(world: World, states: dict[Key, State]) -> Book:
    """Return a book of many Rollouts that was asked about each."""
    book = Book(SINKS, lambda _: None)
    book.begin(Reach(states.get, world.stored, lambda _: True, lambda _: None))
    state = State(notified=tuple(Cursor(one.name, 0) for one in SINKS))
    spec = world.specs[world.add(0, ())]
    for number in range(ROLLOUTS):
        web = key(number)
        states[web], world.recorded[web], world.specs[web] = state, state, spec
        book.telling(StoredRollout(web, {}, {}, "1", 1), spec, state)
    return book


def test_a_pass_asks_in_microseconds() -> None:
    """The median of ten thousand askings is far below a tenth of a millisecond."""
    world, states = World(), dict[Key, State]()
    book, took = _book(world, states), list[float]()
    for web, state in states.items():
        stored, spec = StoredRollout(web, {}, {}, "1", 1), world.specs[web]
        began = time.perf_counter()
        book.telling(stored, spec, state)
        took.append(time.perf_counter() - began)

    assert sorted(took)[ROLLOUTS // 2] < 1e-4


def test_memory_is_bounded_by_the_rollouts() -> None:
    """Ten thousand Rollouts with five sinks take less than 30 MB."""
    world, states = World(), dict[Key, State]()
    tracemalloc.start()
    book = _book(world, states)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert all(len(book.sinks(web)) == len(SINKS) for web in states)
    assert taken < 30e6


def test_who_is_gone_takes_no_memory() -> None:
    """A sweep leaves nothing of Rollouts that nobody is owed anything about."""
    world, states = World(), dict[Key, State]()
    book = _book(world, states)
    world.recorded.clear()

    for _ in book.sweep():
        pass

    assert not any(book.sinks(web) for web in states)
