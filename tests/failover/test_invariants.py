"""What holds for every sequence of events: 10,000 steps of health, blindness, restarts, commands and edits."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rollout.failover.decide import FailoverDecision
from rollout.failover.health import Health, aged
from rollout.failover.reasons import Reason
from rollout.failover.seen import Calendar
from rollout.failover.seen import Order as Command
from rollout.failover.shares import ALL, PRIMARY, by_backend, share_of
from rollout.failover.table import Action, Stage, Trigger
from tests.failover.builders import DR, ENDPOINTS, FAR, PROBE, UP, V1, V2, World, settings

NAMES = (V1, V2, DR, FAR)
COOLDOWN, PER, MOST = 20.0, 600.0, 2
QUICK: dict[str, Any] = {
    "signals": {"endpoints": {}, "probe": {"tcp": {}}},
    "confirmFor": "2s",
    "holdOff": "5s",
    "failback": {"stableFor": "10s", "steps": [10, 50, 100], "stepInterval": "5s", "holdGrowth": {"max": "40s"}},
    "damping": {"cooldown": f"{COOLDOWN:.0f}s", "maxFailovers": MOST, "per": f"{PER:.0f}s"},
    "drill": {"schedule": "0 10 * * 2", "duration": "20s"},
}
EDITS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"mode": "Propose"},
    {"mode": "Observe"},
    {"allUnhealthy": "Spread"},
    {"allUnhealthy": "PreferPrimary"},
    {"rampUp": [50, 80]},
    {"standbyWeight": 1},
    {"standbyWeight": 5, "rampUp": [30, 100]},
    {"signals": {"endpoints": {}, "probe": {"tcp": {}}, "combine": "Quorum(2)"}},
    {"signals": {"endpoints": {}, "probe": {"tcp": {}}, "combine": "AllFail"}},
)
AUTOMATIC = {Trigger.FAIL_OVER, Trigger.LATCH}


class Sequences(RuleBasedStateMachine):
    """A world in which anything may happen, and what must hold after each pass."""

    strategy = "Switch"

    def __init__(self) -> None:
        """Begin with all well, and a canary that may get a part of tier 0."""
        super().__init__()
        self.world = World(self.wanted(), backups=(DR, FAR))
        for name in NAMES:
            for signal in (ENDPOINTS, PROBE):
                self.world.set(name, UP, signal)
        self.world.extra["canary"] = self.world.backend(V2)
        self.failovers: list[float] = []
        self.number = 0

    def wanted(self, **fields: object) -> Any:  # noqa: ANN401 - settings
        """Return the settings, with these edited."""
        return settings(**{**QUICK, "strategy": self.strategy, **fields})

    def turn(self, seconds: float = 0.0, order: Command | None = None) -> None:
        """Run one pass and look at what it did."""
        self.world.extra["canary"] = self.world.backend(V2)
        before = self.world.state
        decision = self.world.step(seconds, order)
        self.nobody_gets_more_who_is_not_healthy(decision, dict(before.shares))
        made = sum(change.trigger in AUTOMATIC for change in decision.changes)
        assert before.epoch + made - before.proposed <= decision.state.epoch <= before.epoch + made + 1
        if before.stage is Stage.LATCHED and order is not None and decision.state.stage is not Stage.LATCHED:
            self.failovers = []
        for change in decision.changes:
            if change.trigger in AUTOMATIC and not (order is not None and order.action is Action.FAILOVER):
                self.failovers.append(change.at)
            if change.trigger is Trigger.FAIL_BACK and order is None:
                assert before.moved_at + COOLDOWN <= change.at + 0.001
        if before.stage is decision.state.stage is Stage.LATCHED and order is None:
            moved = decision.state.moved_at != before.moved_at and decision.state.reason != Reason.ALL_UNHEALTHY
            ramped = any(change.trigger is Trigger.RAMP for change in decision.changes)
            soon = before.moved_at > before.since and decision.state.moved_at < before.moved_at + COOLDOWN
            assert ramped or before.spread or not (moved and soon)

    def nobody_gets_more_who_is_not_healthy(self, decision: FailoverDecision, before: dict[str, int]) -> None:
        """Only fresh Healthy evidence moves traffic in, unless all are down and the settings ask for it."""
        healthy = {name: self.receives(name) for name in NAMES}
        split = self.world.extra.get("split", 0.0)
        tier_0 = (split == ALL or healthy[V1]) and (split == 0 or healthy[V2])
        if any(change.reason == Reason.ALL_UNHEALTHY for change in decision.changes):
            assert [tier_0, healthy[DR], healthy[FAR]] == [False, False, False]
            return
        for name in (PRIMARY, DR, FAR):
            if share_of(decision.shares, name) > share_of(tuple(before.items()), name):
                assert healthy[name] if name else tier_0, (name, decision.state)

    def receives(self, name: str) -> bool:
        """Return whether a backend has a fresh Healthy and no fresh Unhealthy."""
        found = [aged(one, self.world.now).health for (of, _), one in self.world.known.items() if of == name]
        return Health.HEALTHY in found and Health.UNHEALTHY not in found

    @rule(
        name=st.sampled_from([*NAMES, V1, V1, DR]),
        health=st.sampled_from(Health),
        signal=st.sampled_from([ENDPOINTS, ENDPOINTS, PROBE]),
        up=st.integers(1, 3),
    )
    def health_changes(self, name: str, health: Health, signal: Any, up: int) -> None:  # noqa: ANN401 - drawn
        """A signal says something else of a backend."""
        part = (up, 3) if health is UP and signal is ENDPOINTS else (0, 0)
        self.world.set(name, health, signal, part=part)
        self.turn()

    @rule(name=st.sampled_from([V1, V1, DR, FAR]), up=st.sampled_from([0, 0, 1, 2, 3, 3]))
    def endpoints_change(self, name: str, up: int) -> None:
        """So many targets are ready, and the probe says the same."""
        self.world.ready(name, up)
        self.world.set(name, Health.HEALTHY if up else Health.UNHEALTHY, PROBE)
        self.turn()

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.0, 5.0, 11.0, 25.0, 100.0]))
    def time_goes_on(self, seconds: float) -> None:
        """Passes run whenever one is due."""
        until = self.world.now + seconds
        while self.world.now < until:
            due = self.world.last.next_at if self.world.last is not None else None
            self.turn(max(0.01, min(due or until, until) - self.world.now))

    def everybody_sees(self, names: tuple[str, ...], health: Health, seconds: float) -> None:
        """Both signals say this of these backends, and time goes on."""
        self.world.blind = False
        for name in names:
            for signal in (ENDPOINTS, PROBE):
                self.world.set(name, health, signal)
        self.turn()
        self.time_goes_on(seconds)

    @rule(seconds=st.sampled_from([1.0, 2.5, 2.5, 8.0]))
    def the_primary_dies(self, seconds: float) -> None:
        """For certain, and for long enough or not."""
        self.everybody_sees((V1,), Health.UNHEALTHY, seconds)

    @rule(seconds=st.sampled_from([1.0, 12.0, 25.0, 60.0]))
    def the_primary_lives(self, seconds: float) -> None:
        """For certain, and for long enough for failback or not."""
        self.everybody_sees((V1, V2), UP, seconds)

    @rule(
        names=st.sampled_from([(DR,), (FAR,), (DR, FAR), (V1, DR), (V1, DR, FAR)]),
        health=st.sampled_from([UP, UP, *Health]),
    )
    def backups_live_or_die(self, names: tuple[str, ...], health: Health) -> None:
        """For a while."""
        self.everybody_sees(names, health, 3.0)

    @rule()
    def nobody_is_in_the_way(self) -> None:
        """Switches are off, the canary has no part, and a person clears the latch."""
        self.world.extra = {"canary": self.world.backend(V2)}
        self.world.settings = self.wanted()
        if self.world.stage is Stage.LATCHED:
            self.turn(order=Command(Action.UNLATCH))

    @rule()
    def everything_is_well_again(self) -> None:
        """All come up."""
        for name in NAMES:
            for signal in (ENDPOINTS, PROBE):
                self.world.set(name, UP, signal)
        self.turn()

    @rule(blind=st.booleans())
    def signals_stand_still(self, blind: bool) -> None:  # noqa: FBT001 - drawn
        """What is known grows old, or is seen again."""
        self.world.blind = blind
        self.turn()

    @precondition(lambda self: self.world.blind)
    @rule()
    def blindness_lasts(self) -> None:
        """Old knowledge never moves anything."""
        self.world.now += 60
        before = self.world.state.shares
        self.turn()
        assert self.world.state.shares == before

    @rule()
    def the_controller_starts_again(self) -> None:
        """Readings come later; the state is that of the status."""
        known, self.world.known = self.world.known, {}
        self.world.extra["session_started_at"] = self.world.now
        self.turn()
        self.world.known = known

    @rule(edit=st.sampled_from(EDITS))
    def settings_are_edited(self, edit: dict[str, Any]) -> None:
        """Somebody changes the spec."""
        self.world.settings = self.wanted(**edit)
        self.turn()

    @rule(field=st.sampled_from(["stopped", "suspended", "attempt"]), on=st.sampled_from([False, False, True]))
    def a_switch_is_turned(self, field: str, on: bool) -> None:  # noqa: FBT001 - drawn
        """All failover is stopped, the Rollout suspended, an attempt under way, or not."""
        self.world.extra[field] = on
        before = self.world.state.shares
        self.turn()
        if field == "suspended" and on:
            assert self.world.state.shares == before

    @rule(split=st.sampled_from([0.0, 25.0, 100.0]))
    def the_canary_has_a_part(self, split: float) -> None:
        """An attempt gives a part of tier 0 to the canary."""
        self.world.extra["split"] = split
        self.turn()

    @rule()
    def a_drill_is_due(self) -> None:
        """The calendar says so."""
        self.number += 1
        self.world.calendar(Calendar(drill_due=f"drill-{self.number}"))
        self.turn()

    @rule(
        action=st.sampled_from([*Action, Action.UNLATCH, Action.APPROVE, Action.FAILBACK]),
        to=st.sampled_from(["", DR, FAR, "nobody"]),
        off=st.sampled_from([0, 0, 0, -1]),
    )
    def somebody_orders(self, action: Action, to: str, off: int) -> None:
        """A command, legal or not."""
        before, stage = self.world.state, self.world.stage
        self.turn(order=Command(action, to if action is Action.FAILOVER else "", before.epoch + off))
        answer = self.world.last.answer if self.world.last is not None else None
        assert answer is not None
        if off and action in {Action.FAILBACK, Action.APPROVE}:
            assert not answer.done
        if action is Action.HOLD and answer.done:
            assert self.world.state.shares == before.shares
            assert stage is not Stage.LATCHED or not before.held

    @invariant()
    def shares_are_never_all_zero(self) -> None:
        """They sum to 100, whatever the split inside tier 0 is."""
        split = self.world.extra.get("split", 0.0)
        found = by_backend(self.world.state.shares, stable=V1, canary=V2, split=split)

        assert abs(sum(found.values()) - ALL) < 1e-9
        assert min(found.values()) > 0

    @invariant()
    def failovers_are_damped(self) -> None:
        """Within ``per`` there are no more automatic failovers than ``maxFailovers``, since a person ended a latch."""
        recent = [at for at in self.failovers if at > self.world.now - PER]

        assert len(recent) <= MOST

    def teardown(self) -> None:
        """With all well, nobody in the way and a person's word, everything is back at the primary in the end."""
        self.world.blind = False
        self.world.extra = {"canary": None}
        self.world.settings = self.wanted()
        self.everything_is_well_again()
        self.time_goes_on(60.0)
        if self.world.stage is Stage.LATCHED:
            self.turn(order=Command(Action.UNLATCH))
        if self.world.stage is Stage.FAILED_OVER and self.world.state.ordered:
            self.turn(order=Command(Action.FAILBACK, epoch=self.world.state.epoch))
        self.time_goes_on(300.0)

        assert (self.world.stage, self.world.shares, self.world.state.active) == (Stage.NORMAL, {}, "")


class Spilling(Sequences):
    """The same by Envoy's formula."""

    strategy = "Spill"


STEPS = examples(
    max_examples=min(100, examples().max_examples),
    stateful_step_count=50,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink a sequence of this length takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
Sequences.TestCase.settings = STEPS
Spilling.TestCase.settings = STEPS
TestSwitch = Sequences.TestCase
TestSpill = Spilling.TestCase
