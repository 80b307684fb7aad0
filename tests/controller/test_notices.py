"""Facts about sinks as the controller has them: what stays for them, what is recorded of them, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout.engine.observation import Cursor, Telling
from rollout.engine.state import MOST_TRANSITIONS, MOST_UNTOLD, State
from rollout.errors import Unavailable
from rollout.ports import Recorded, StoredRollout
from rollout.spec.resource import Rollout
from tests.controller.builders import KEY, NOW, Scene, manifest, quietly, under_way, virtually

SLACK, PAGER = "slack", "pager"


@dataclass(slots=True)
class Reception:
    """``Notices`` as a test says: these sinks are wanted, were told so far, and what is recorded of it is too old."""

    sinks: tuple[str, ...] = (PAGER, SLACK)
    told: dict[str, Cursor] = field(default_factory=dict)
    due: bool = False
    error: Exception | None = None
    asked: list[int] = field(default_factory=list)

    def telling(self, stored: StoredRollout, rollout: Rollout | None, state: State) -> Telling | None:
        """Answer as the test said; `due` holds for one asking."""
        assert stored.key == KEY
        assert rollout is not None
        self.asked.append(state.number)
        if self.error is not None:
            raise self.error
        due, self.due = self.due, False
        return Telling(self.sinks, dict(self.told), due)

    def tell(self, sink: str, number: int, *, at: float = 0.0, thread: str = "", attempt: int = 0) -> None:
        """Let the sink be told up to this transition."""
        self.told[sink] = Cursor(sink, number, at, thread, attempt)


async def attended(reception: Reception) -> Scene:
    """Return a scene in step 1 of an attempt whose transitions are told to these sinks; four were not told yet."""
    scene = await under_way()
    await scene.stop()
    scene.notices = reception
    await scene.start()
    await busy(scene, 2)
    return scene


def recorded(scene: Scene) -> Mapping[str, Any]:
    """Return the status that was recorded last."""
    return scene.store.records[-1][1]


def cursors(scene: Scene) -> dict[str, int]:
    """Return how far each sink was told by the recorded status."""
    return {name: cursor["number"] for name, cursor in recorded(scene).get("notified", {}).items()}


async def busy(scene: Scene, times: int) -> None:
    """Pause and resume so many times."""
    for _ in range(times):
        for action in ("pause", "resume"):
            before = scene.state.number
            await scene.tell(action)
            await scene.until(lambda before=before: scene.state.number > before)  # type: ignore[misc]


async def due(scene: Scene, reception: Reception) -> None:
    """Let what is recorded be too old, and the pass that follows be over."""
    reception.due = True
    asked = len(reception.asked)
    scene.controller.wake(KEY)
    await scene.until(lambda: len(reception.asked) > asked)
    await asyncio.sleep(0.1)


@virtually
async def test_a_sink_that_is_never_told_keeps_a_hundred_transitions() -> None:
    """In memory and in the status, which stays as small as one may be; the newest are whole."""
    reception = Reception()
    scene = await attended(reception)
    await busy(scene, 60)
    numbers = [made["number"] for made in recorded(scene)["transitions"]]
    await scene.stop()

    assert len(scene.state.transitions) == MOST_UNTOLD
    assert len(numbers) > 4 * MOST_TRANSITIONS
    assert numbers == list(range(scene.state.number - len(numbers) + 1, scene.state.number + 1))
    assert all(made["weights"] for made in recorded(scene)["transitions"][-MOST_TRANSITIONS:])


@virtually
async def test_a_restart_finds_what_was_not_told() -> None:
    """The transitions and the cursors are those of the status; what a sink was told beyond comes again."""
    reception = Reception()
    scene = await attended(reception)
    await busy(scene, 15)
    known, before = cursors(scene), [made.number for made in scene.state.transitions]
    await scene.stop()
    await scene.start()
    await scene.until(lambda: scene.controller.state(KEY) is not None)
    after = [made.number for made in scene.state.transitions]
    await scene.stop()

    assert len(before) > MOST_TRANSITIONS
    assert after == before
    assert {cursor.sink: cursor.number for cursor in scene.state.notified} == known


@virtually
async def test_a_cursor_that_is_due_is_one_write() -> None:
    """It is recorded, tells nobody anything, makes no transition, and then there is quiet for an hour."""
    reception = Reception()
    scene = await attended(reception)
    followed: list[Recorded] = []
    changed: list[object] = []
    scene.store.follow(followed.append)
    scene.store.subscribe(changed.append)
    reception.tell(SLACK, scene.state.number, at=NOW, thread="C1:1.5", attempt=1)
    await asyncio.sleep(60)
    written, told, passes = len(scene.store.records), len(scene.told), scene.controller.counts.passes
    await due(scene, reception)
    noted = len(scene.store.records) - written
    passes_after = scene.controller.counts.passes
    for _ in range(5):
        await due(scene, reception)
    await asyncio.sleep(20)
    await scene.stop()

    assert (noted, len(scene.store.records) - written) == (1, 1)
    assert recorded(scene)["notified"][SLACK] == {
        "number": scene.state.number,
        "at": NOW,
        "thread": "C1:1.5",
        "attempt": 1,
    }
    assert (followed, changed, len(scene.told)) == ([], [], told)
    assert passes_after - passes <= 2


@virtually
async def test_a_cursor_that_is_not_due_waits_for_another_write() -> None:
    """It costs none of its own, and stands in the next."""
    reception = Reception()
    scene = await attended(reception)
    written = len(scene.store.records)
    reception.tell(SLACK, scene.state.number)
    for _ in range(10):
        scene.controller.wake(KEY)
        await asyncio.sleep(1)
    alone = len(scene.store.records) - written
    number = scene.state.number
    await scene.tell("pause")
    await scene.until(lambda: scene.state.number > number)
    await scene.stop()

    assert alone == 0
    assert cursors(scene)[SLACK] == number


@virtually
async def test_a_cursor_write_that_fails_is_no_harm() -> None:
    """The next one brings it."""
    reception = Reception()
    scene = await attended(reception)
    reception.tell(SLACK, scene.state.number)
    scene.store.fail(Unavailable("busy"))
    await due(scene, reception)
    await asyncio.sleep(30)
    failed = cursors(scene)[SLACK]
    await due(scene, reception)
    await scene.stop()

    assert (failed, cursors(scene)[SLACK]) == (1, 5)


@virtually
async def test_a_status_that_is_lost_comes_again_with_its_cursors() -> None:
    """Somebody takes it away while the controller runs: what was told is known."""
    reception = Reception()
    scene = await attended(reception)
    reception.tell(SLACK, scene.state.number)
    await due(scene, reception)
    stored = scene.store.read(KEY)
    assert stored is not None
    before = cursors(scene)
    await scene.store.record(KEY, status={}, expected=stored.version)
    scene.controller.wake(KEY)
    await scene.until(lambda: bool(recorded(scene)))
    await scene.stop()

    assert cursors(scene) == before
    assert before[SLACK] == scene.state.number


@virtually
async def test_another_life_of_the_name_is_told_from_its_beginning() -> None:
    """How far sinks were told of the one before is nothing to it, whatever is remembered."""
    reception = Reception()
    scene = await attended(reception)
    await busy(scene, 5)
    reception.tell(SLACK, scene.state.number)
    await due(scene, reception)
    scene.store.vanish(KEY)
    await asyncio.sleep(1)
    await scene.store.apply(manifest())
    await scene.until(lambda: scene.controller.state(KEY) is not None)
    await scene.stop()

    assert cursors(scene) == {PAGER: 0, SLACK: 0}


@virtually
async def test_a_sink_that_is_not_known_here_keeps_its_cursor() -> None:
    """A replica with an older file of sinks knows of it by the Rollout alone, and tells it nothing."""
    reception = Reception()
    scene = await attended(reception)
    reception.tell(SLACK, 1)
    reception.tell(PAGER, 2)
    await due(scene, reception)
    await scene.stop()
    other = Reception(told={SLACK: Cursor(SLACK, scene.state.number)})
    scene.notices = other
    await scene.start()
    await busy(scene, 2)
    await scene.stop()

    assert cursors(scene)[PAGER] == 2
    assert cursors(scene)[SLACK] == 5


@virtually
async def test_a_sink_that_is_wanted_no_more_is_taken_out_once() -> None:
    """One write, and its transitions do not wait for it any more."""
    reception = Reception()
    scene = await attended(reception)
    await busy(scene, 15)
    written, kept = len(scene.store.records), len(scene.state.transitions)
    reception.sinks = (SLACK,)
    reception.tell(SLACK, scene.state.number)
    for _ in range(3):
        scene.controller.wake(KEY)
        await asyncio.sleep(1)
    await scene.stop()

    assert len(scene.store.records) - written == 1
    assert (set(cursors(scene)), kept > MOST_TRANSITIONS) == ({SLACK}, True)
    assert len(scene.state.transitions) == MOST_TRANSITIONS


@virtually
async def test_a_look_asks_nobody() -> None:
    """What is due for one asking is for a pass, not for somebody who looks."""
    reception = Reception()
    scene = await attended(reception)
    await asyncio.sleep(30)
    asked = len(reception.asked)
    looked = [scene.controller.look(KEY) for _ in range(10)]
    await scene.stop()

    assert all(looked)
    assert len(reception.asked) == asked


@virtually
@quietly
async def test_a_fault_in_who_is_told_fails_no_pass() -> None:
    """It is logged; what was known stays."""
    reception = Reception()
    scene = await attended(reception)
    known = cursors(scene)
    reception.error = RuntimeError("a fault in the sinks")
    await busy(scene, 2)
    await scene.stop()

    assert scene.controller.counts.failures == 0
    assert cursors(scene) == known
