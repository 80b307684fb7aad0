"""Facts about the mirror: what others record is told once, in order, and what was there before is no news."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollout.controller.catalog import Abilities, Catalog
from rollout.controller.mirror import Mirror
from rollout.controller.passes import Told
from rollout.engine.observation import Cursor
from rollout.engine.state import Handled, State, Transition
from rollout.engine.status import to_status
from rollout.engine.table import Phase
from rollout.ports import Key
from rollout.spec.built_in import built_in_policy
from tests.controller.builders import KEY, NOW, manifest
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore


def made(number: int) -> Transition:
    """Return a transition of this number."""
    return Transition(number, NOW, Phase.PROGRESSING, 1, (("v1", 90), ("v2", 10)), "Stepped", f"Number {number}.")


def answered(name: str) -> Handled:
    """Return what became of a command of this id."""
    return Handled(name, "pause", done=True, reason="Paused", message="Paused.")


def state(*numbers: int, handled: tuple[str, ...] = ()) -> State:
    """Return a state with these transitions and handled commands."""
    told = tuple(map(made, numbers))
    return State(number=numbers[-1] if numbers else 0, transitions=told, handled=tuple(map(answered, handled)))


class Stage:
    """A mirror over a store in which others record."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.heard: list[str | int] = []
        catalog = Catalog(self.store, built_in_policy(), Abilities())
        self.mirror = Mirror(self.store, catalog, FakeClock())
        self.mirror.listeners.append(self._hear)

    def _hear(self, told: Told) -> None:
        self.heard += [told.transition.number] if told.transition else []
        self.heard += [told.handled.id] if told.handled else []

    def record(self, now: State, key: Key = KEY) -> None:
        """Let somebody else record this state, and the mirror look."""
        asyncio.run(self._record(now, key))
        self.mirror.look(key)

    async def _record(self, now: State, key: Key) -> None:
        if self.store.read(key) is None:
            await self.store.apply(manifest())
        stored = self.store.read(key)
        assert stored is not None
        await self.store.record(key, status=to_status(now), expected=stored.version)


def test_news_are_told_once_and_in_order() -> None:
    """Transitions by number, then commands by id; a status that is seen again tells nothing."""
    stage = Stage()
    stage.record(State())
    stage.record(state(1, 2, handled=("a",)))
    stage.record(state(1, 2, 3, handled=("a", "b", "c")))
    stage.mirror.look(KEY)

    assert stage.heard == [1, 2, "a", 3, "b", "c"]


def test_what_was_there_at_the_beginning_is_no_news() -> None:
    """A replica that starts does not tell the past."""
    stage = Stage()
    asyncio.run(stage._record(state(1, 2, handled=("a",)), KEY))  # noqa: SLF001 - before the mirror begins
    stage.mirror.begin()
    stage.record(state(1, 2, 3, handled=("a",)))

    assert stage.heard == [3]


def test_what_is_seen_first_with_a_past_has_no_news() -> None:
    """A Rollout that comes into the cache late brings its past along."""
    stage = Stage()
    stage.record(state(1, 2, handled=("a",)))

    assert stage.heard == []


def test_what_this_replica_did_is_not_told_again() -> None:
    """Its own tidings pass through, and the status that has them tells nothing."""
    stage = Stage()
    stage.record(State())
    stage.mirror.made(Told(KEY, transition=made(1), at=NOW))
    stage.mirror.made(Told(KEY, handled=answered("a"), at=NOW))
    stage.record(state(1, 2, handled=("a", "b")))

    assert stage.heard == [1, "a", 2, "b"]


def test_more_than_a_status_keeps_is_told_as_far_as_it_goes() -> None:
    """When the last command that was seen has fallen out of the list, all that are there are new."""
    stage = Stage()
    stage.record(state(1, handled=("a",)))
    stage.record(state(30, 31, handled=("y", "z")))

    assert stage.heard == [30, 31, "y", "z"]


def test_how_far_sinks_were_told_is_no_news() -> None:
    """Nor are transitions that stay in a status for a sink, and then go."""
    stage = Stage()
    stage.record(state(*range(1, 61)))
    stage.record(replace(state(*range(1, 61)), notified=(Cursor("slack", 10),)))
    stage.record(replace(state(*range(41, 61)), notified=(Cursor("slack", 60),)))

    assert stage.heard == []


def test_another_life_begins_with_number_one() -> None:
    """A Rollout that was deleted and made again under its name is told from its beginning."""
    stage = Stage()
    stage.record(State())
    stage.record(state(1, 2, 3))
    stage.record(state(1))

    assert stage.heard == [1, 2, 3, 1]


def test_another_life_is_told_from_its_beginning_however_far_it_has_come() -> None:
    """A Rollout that was made again counts anew, also where its number has passed the old one's unseen."""
    stage = Stage()
    stage.record(State())
    stage.record(state(1))
    stage.store.vanish(KEY)
    stage.record(state(1, 2))

    assert stage.heard == [1, 1, 2]


def test_the_spec_of_another_life_is_worked_out_anew() -> None:
    """Both lives have generation 1, and yet the effective spec is that of the one that is there."""
    store = FakeStore()
    mirror = Mirror(store, Catalog(store, built_in_policy(), Abilities()), FakeClock())
    found = []
    for revision in ("1", "2"):
        stored = store.read(asyncio.run(store.apply(manifest(revision=revision))))
        assert stored is not None
        found.append(mirror.resolved(stored).rollout)
        store.vanish(KEY)

    assert [rollout.spec.revision for rollout in found if rollout is not None] == ["1", "2"]


def test_what_is_gone_is_forgotten() -> None:
    """Nothing is kept of a Rollout that is no more, and its next life brings no past."""
    stage = Stage()
    stage.record(state(1))
    stage.store.vanish(KEY)
    stage.mirror.look(KEY)
    stage.record(state(1, 2))

    assert stage.heard == []


def test_a_status_that_cannot_be_read_is_no_news() -> None:
    """What somebody wrote into a status by hand breaks nothing, and what comes after it is told."""
    stage = Stage()
    stage.record(State())
    stored = stage.store.read(KEY)
    assert stored is not None
    broken = {"transitions": [{"number": 1}], "handledCommands": "none"}
    asyncio.run(stage.store.record(KEY, status=broken, expected=stored.version))
    stage.mirror.look(KEY)
    stage.record(state(1, 2))

    assert stage.heard == [2]


def test_effective_specs_are_remembered_up_to_a_number() -> None:
    """The same is not worked out twice in a row; the oldest goes when there are too many."""
    store = FakeStore()
    mirror = Mirror(store, Catalog(store, built_in_policy(), Abilities()), FakeClock(), most_resolved=1)
    found = [store.read(asyncio.run(store.apply(_named(name)))) for name in ("checkout", "search")]
    one, other = (stored for stored in found if stored is not None)
    first, again = mirror.resolved(one), mirror.resolved(one)
    mirror.resolved(other)

    assert first is again
    assert mirror.resolved(one) is not first


def _named(name: str) -> dict[str, object]:
    return {**manifest(), "metadata": {"name": name, "namespace": KEY.namespace}}
