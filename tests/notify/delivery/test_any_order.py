"""Whatever happens in whatever order, restarts at any moment included: none lost, in order, twice only as the same."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from rollout.engine.state import State, Transition
from rollout.errors import PermanentError
from rollout.notify.message import Message, Notice
from rollout.notify.notices import notice_of
from rollout.notify.sending import MessageRefused
from rollout.ports import Key
from tests.notify.delivery.hours import BEGIN, loop_of_hours
from tests.notify.delivery.world import Replica, ScriptedSender, World, sink

pytestmark = pytest.mark.long

SINKS = (
    sink("hook"),
    sink("chat", kind="Slack", digest={"least": 2}),
    sink(
        "sleepy", kind="Slack", on=["StepStarted", "Aborted"], quiet={"during": ["* 0-9 * * *"], "except": ["Aborted"]}
    ),
)
ACTS = ("take", "down", "lost", "hang", "busy", "busy a little", "broken", "stuck", "fault")
WISHES: tuple[list[str], ...] = ([], ["Aborted", "Poison"], ["StepStarted", "Forbidden"])
"""For what each Rollout names its sinks (none: all)."""

REASONS = ("StepStarted", "StepStarted", "Aborted", "Noted", "Poison", "Forbidden")
REFUSED = frozenset(("Poison", "Forbidden"))
MOST_MADE = 300
"""So many transitions makes a Rollout: more than are kept, and more than fit into one list."""


class Siesta:
    """Five minutes of each twenty are quiet."""

    def until(self, at: float) -> float | None:
        """Return when the quiet ends."""
        since = (at - BEGIN) % 1200
        return at - since + 300 if since < 300 else None


class Choosy(ScriptedSender):
    """It refuses what has poison in it, and says of what is forbidden that it takes nothing at all."""

    async def send(self, message: Message) -> str:
        """Refuse, or do as the script says."""
        words = f"{message.title} {message.text} {[notice.reason for notice in message.notices]}"
        if "Poison" in words:
            raise MessageRefused("it has poison in it")
        if "Forbidden" in words:
            raise PermanentError("answered 403")
        return await ScriptedSender.send(self, message)


@dataclass
class Life:
    """One life of a name, and what it made."""

    key: Key
    uid: str
    wishes: list[str]
    made: list[Transition] = field(default_factory=list)
    over: bool = False

    def ids(self, *taken: str) -> dict[str, int]:
        """Return the numbers, by id, of what a sink is told that takes these words (none: all) and refuses some."""
        return {
            notice_of(self.key, self.uid, made).id: made.number
            for made in self.made
            if made.reason not in REFUSED and all(not words or made.reason in words for words in (self.wishes, taken))
        }


class Delivery(RuleBasedStateMachine):
    """Two replicas of which one acts, three Rollouts, a sink for programs and two chats."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=loop_of_hours)
        self.world = World()
        self.senders: dict[str, ScriptedSender] = {one.name: Choosy() for one in SINKS}
        self.lives: list[Life] = []
        self.now: dict[Key, Life] = {}
        for number, wishes in enumerate((*WISHES, [])):
            self._begin(self.world.add(number, [{"sink": one.name, "on": wishes} for one in SINKS]), wishes)
        self.keys, self.specs = list(self.now)[: len(WISHES)], dict(self.world.specs)
        self.runner.run(self._start())

    def _begin(self, key: Key, wishes: list[str]) -> None:
        life = self.now[key] = Life(key, f"life-{len(self.lives)}", wishes)
        self.lives.append(life)
        self.world.uids[key], self.world.recorded[key] = life.uid, State()

    async def _start(self) -> None:
        self.acting, self.standby = self._replica(), self._replica()
        self.standby.lose()

    def _replica(self) -> Replica:
        return Replica(self.world, SINKS, self.senders, quiet={"sleepy": Siesta()})

    async def _pass(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @rule(
        key=st.integers(0, len(WISHES) - 1),
        reasons=st.lists(st.sampled_from(REASONS), min_size=1, max_size=3),
        times=st.sampled_from((1, 1, 1, 1, 40)),
    )
    def make(self, key: int, reasons: list[str], times: int) -> None:
        """A pass makes some transitions."""
        self.runner.run(self._make(self.keys[key], reasons * times))

    async def _make(self, key: Key, reasons: list[str]) -> None:
        life = self.now[key]
        if len(life.made) + len(reasons) > MOST_MADE or not self.acting.records:
            return
        for reason in reasons:
            self.acting.look(key, reason)
            life.made += self.world.recorded[key].transitions[-1:]

    @precondition(lambda self: self.acting.records)
    @rule(key=st.integers(0, len(WISHES) - 1))
    def make_anew(self, key: int) -> None:
        """A Rollout is deleted and made again, in the middle of whatever is under way."""

        async def story() -> None:
            name = self.keys[key]
            self.now[name].over = True
            self.acting.live.pop(name, None)
            self.world.specs[name] = self.specs[name]  # of one that was never valid nobody is told
            self._begin(name, self.now[name].wishes)
            self.acting.look(name)

        self.runner.run(story())

    @rule(key=st.integers(0, len(WISHES) - 1))
    def spoil_or_mend(self, key: int) -> None:
        """A spec becomes invalid, or valid again."""

        async def story() -> None:
            name = self.keys[key]
            self.world.specs[name] = self.specs[name] if self.world.specs[name] is None else None
            self.acting.look(name)

        self.runner.run(story())

    @rule(seconds=st.sampled_from((0.01, 0.15, 1.0, 4.9, 30.0, 400.0)))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.runner.run(self._pass(seconds))

    @rule(name=st.sampled_from(sorted(one.name for one in SINKS)), acts=st.lists(st.sampled_from(ACTS), max_size=8))
    def trouble(self, name: str, acts: list[str]) -> None:
        """A sink will answer so."""
        self.senders[name].script = list(acts)

    @rule()
    def kill(self) -> None:
        """All processes are killed, and come again."""

        async def story() -> None:
            self.acting.kill()
            await asyncio.sleep(0)
            await self._start()

        self.runner.run(story())

    @rule()
    def end_in_order(self) -> None:
        """The process that acts ends in order, and another comes."""

        async def story() -> None:
            await self.acting.notifier.aclose()
            self.acting.lose()
            self.acting = self._replica()

        self.runner.run(story())

    @rule()
    def change_leader(self) -> None:
        """The other replica acts from now on, in the middle of whatever is under way."""

        async def story() -> None:
            self.acting.lose()
            self.acting, self.standby = self.standby, self.acting
            self.acting.gain()

        self.runner.run(story())

    @precondition(lambda self: self.acting.records)
    @rule()
    def lose_store(self) -> None:
        """Nothing can be recorded for a while."""
        self.acting.records = False

    @precondition(lambda self: not self.acting.records)
    @rule()
    def regain_store(self) -> None:
        """Records land again."""
        self.acting.records = True

    def teardown(self) -> None:
        """In the end each sink knows each transition that it was to know, and could."""
        try:
            self.runner.run(self._come_to_rest())
            for one in SINKS:
                told = self.senders[one.name].taken
                for life in self.lives:
                    self._check(life, life.ids(*one.on), told)
            for key, state in self.world.recorded.items():
                assert {cursor.number for cursor in state.notified} <= {state.number}, key
        finally:
            self.runner.close()

    async def _come_to_rest(self) -> None:
        """Let time pass in which a Rollout shows now and then that the sinks are well."""
        for sender in self.senders.values():
            sender.script = []
        self.acting.records = True
        bystander = list(self.now)[-1]
        while not self._is_at_rest() and len(self.now[bystander].made) < MOST_MADE:
            await self._make(bystander, ["StepStarted"])
            await asyncio.sleep(400)

    def _is_at_rest(self) -> bool:
        sums = [
            {cursor.number for cursor in state.notified} <= {state.number} for state in self.world.recorded.values()
        ]
        return all(sums) and not any(one.pending for one in self.acting.notifier.standings())

    def _check(self, life: Life, wanted: dict[str, int], taken: list[Message]) -> None:
        """What is missing was told as a number, or was of a life that was over; the rest came in order."""
        told = list(dict.fromkeys(notice.id for notice in _notices(taken, life.key) if notice.id in wanted))
        numbers = [wanted[one] for one in told]
        counted = any(message.more and message.key in {None, life.key} for message in taken)
        assert counted or numbers == sorted(numbers), f"{life.key}: {numbers}"
        assert counted or life.over or numbers == list(wanted.values()), f"{life.key}: {numbers}"
        known = {one for each in self.lives if each.key == life.key for one in each.ids()}
        assert {notice.id for notice in _notices(taken, life.key)} <= known


def _notices(taken: list[Message], key: Key) -> list[Notice]:
    return [notice for message in taken for notice in message.notices if notice.key == key]


Delivery.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestDelivery = Delivery.TestCase
