"""Whatever happens in whatever order, restarts at any moment included: none lost, in order, twice only as the same."""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from rollout.engine.state import Transition
from rollout.notify.message import Notice
from rollout.notify.notices import notice_of
from rollout.ports import Key
from tests.notify.delivery.hours import loop_of_hours
from tests.notify.delivery.world import Replica, ScriptedSender, World, sink

ROLLOUTS = 3
MOST_MADE = 12
"""So many transitions makes a Rollout, that all fit into one list."""

SINKS = (sink("hook"), sink("chat", kind="Slack", digest={"least": 2}))
ACTS = ("take", "down", "lost", "hang", "busy", "broken", "stuck")


class Delivery(RuleBasedStateMachine):
    """Two replicas of which one acts, three Rollouts, a sink for programs and a chat."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=loop_of_hours)
        self.world = World()
        self.senders = {one.name: ScriptedSender() for one in SINKS}
        self.made: dict[Key, list[Transition]] = {}
        for number in range(ROLLOUTS):
            self.made[self.world.add(number, [{"sink": one.name} for one in SINKS])] = []
        self.keys = list(self.made)
        self.runner.run(self._start())

    async def _start(self) -> None:
        self.acting, self.standby = self._replica(), self._replica()
        self.standby.lose()

    def _replica(self) -> Replica:
        return Replica(self.world, SINKS, self.senders)

    async def _pass(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @rule(place=st.integers(0, ROLLOUTS - 1), many=st.integers(1, 3))
    def make(self, place: int, many: int) -> None:
        """A pass makes some transitions."""
        self.runner.run(self._make(self.keys[place], many))

    async def _make(self, key: Key, many: int) -> None:
        many = min(many, MOST_MADE - len(self.made[key]))
        if many > 0 and self.acting.records:
            self.acting.look(key, *["StepStarted"] * many)
            self.made[key] += self.world.recorded[key].transitions[-many:]

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
        """In the end each sink knows each transition."""
        try:
            self.runner.run(self._come_to_rest())
            for sender in self.senders.values():
                for key, made in self.made.items():
                    self._check(key, made, sender.notices(key))
        finally:
            self.runner.close()

    async def _come_to_rest(self) -> None:
        for sender in self.senders.values():
            sender.script = []
        self.acting.records = True
        await asyncio.sleep(3600)

    def _check(self, key: Key, made: list[Transition], told: list[Notice]) -> None:
        first = list(dict.fromkeys(notice.number for notice in told))
        assert first == [one.number for one in made], f"{key}: {[notice.number for notice in told]}"
        ids = {one.number: notice_of(key, "", one).id for one in made}
        assert all(notice.id == ids[notice.number] for notice in told)
        assert {cursor.number for cursor in self.world.recorded[key].notified} == {len(made)}


Delivery.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestDelivery = Delivery.TestCase
