"""Whatever happens to failover: random sequences of events through the shipped controller, Hypothesis choosing them.

Never all zero; never onto a backend that is not freshly healthy, except as ``allUnhealthy`` asks; no oscillation faster
than damping allows; back to normal in the end, when all is well and no person wants it otherwise. Some 10,000 events
are played; FAILOVER_EXAMPLES asks for more.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from structlog.testing import capture_logs

from rollout.rehearsal.reading import Rehearsal
from rollout.rehearsal.rehearse import Play
from rollout.rehearsal.scenario import Event
from rollout.rehearsal.virtual_loop import VirtualLoop
from rollout.rehearsal.world import EPOCH
from tests.stories.machine_worlds import (
    BACKENDS,
    BACKUPS,
    CANARY,
    COOLDOWN,
    MOST_FAILOVERS,
    NEAR,
    PER,
    SIGNALS,
    STABLE,
    STABLE_FOR,
    rehearsal,
)
from tests.stories.oracle import Look, Opinion

pytestmark = pytest.mark.long

TOTAL = 100
SLICE = 0.5
"""The world is looked at so often, in simulated seconds."""

EXAMPLES = int(os.environ.get("FAILOVER_EXAMPLES", "100"))
STEPS = 50
TO_THE_END = 400.0
"""So long it takes at most until all is normal again, in simulated seconds."""

ADOPTED = {"FailoverAdopted", "Adopted", "AdoptedByCommand"}
"""What is found is taken as it is; whoever put it there."""

WAITS = st.sampled_from([0.3, 1.0, 2.5, 4.0, 8.0, 15.0, 33.0])
NAMES = st.sampled_from(BACKENDS)
PEOPLE = ["hold", "unlatch", "drill", "start", "abort", "pause", "resume", "promote", "retry", "undo"]


class Failover(RuleBasedStateMachine):
    """A play in which each rule lets something happen, and then time pass."""

    def __init__(self) -> None:
        """Take a loop; the world begins with the settings."""
        super().__init__()
        self.loop = VirtualLoop()
        self.logs = capture_logs()
        self.told = self.logs.__enter__()
        self.play: Play | None = None
        self.written = self.moved = 0
        self.automatic: list[float] = []
        self.last_move = self.last_failure = -PER
        self.stable = {0: STABLE}

    @initialize(
        strategy=st.sampled_from(["Switch", "Switch", "Spill"]),
        signals=st.sampled_from(sorted(SIGNALS)),
        all_unhealthy=st.sampled_from(["Hold", "PreferPrimary", "Spread"]),
        standby=st.sampled_from([0, 0, 5]),
    )
    def begin(self, strategy: str, signals: str, all_unhealthy: str, standby: int) -> None:
        """Begin a play."""
        chosen = rehearsal(strategy, signals, all_unhealthy, standby)
        probed = "probe" in SIGNALS[signals]
        self.standby = standby
        self.by_metrics = "metrics" in SIGNALS[signals]
        self.by_endpoints = "endpoints" in SIGNALS[signals]
        self.opinions = {name: Opinion(probed) for name in BACKENDS}
        self.play = self.loop.run_until_complete(_begun(chosen))
        self.advance(10.0)

    @rule(name=NAMES, ready=st.sampled_from(["0/2", "0/2", "1/2", "2/2", "2/2", "0/0"]), wait=WAITS)
    def endpoints(self, name: str, ready: str, wait: float) -> None:
        """Pods go and come."""
        self.let({"backend": name, "ready": ready}, wait)

    @rule(name=NAMES, probe=st.sampled_from(["ok", "ok", "fail", "timeout", "unreachable"]), wait=WAITS)
    def probe(self, name: str, probe: str, wait: float) -> None:
        """Probes meet something else."""
        self.let({"backend": name, "probe": probe}, wait)

    @rule(name=st.sampled_from([STABLE, STABLE, NEAR]), dead=st.booleans(), wait=WAITS)
    def outage(self, name: str, dead: bool, wait: float) -> None:  # noqa: FBT001 - Hypothesis draws it by name
        """A backend dies or comes back by every signal."""
        change = {"ready": "0/2", "probe": "refused", "errors": "100%"}
        self.let({"backend": name, **(change if dead else {"ready": "2/2", "probe": "ok", "errors": "0.1%"})}, wait)

    @rule(down=st.sampled_from([2.5, 4.0, 15.0]), up=st.sampled_from([15.0, 33.0]))
    def flap(self, down: float, up: float) -> None:
        """The primary dies and comes back."""
        self.outage(STABLE, dead=True, wait=down)
        self.outage(STABLE, dead=False, wait=up)

    @rule(times=st.integers(3, 5))
    def flap_on_and_on(self, times: int) -> None:
        """The primary dies again as soon as all is back."""
        self.heal()
        for _ in range(times):
            self.flap(down=3.0, up=STABLE_FOR + 3 * 3.0 + 2.0)

    @rule(wait=st.sampled_from([8.0, 15.0, 33.0]))
    def blind_on_the_way_back(self, wait: float) -> None:
        """The controller goes blind in the middle of a failback."""
        self.outage(STABLE, dead=True, wait=5.0)
        self.heal()
        self.advance(STABLE_FOR + 6.0)
        self.let({"controller": "blind"}, wait)

    @rule(name=NAMES, errors=st.sampled_from(["0.1%", "60%", "100%"]), wait=WAITS)
    def errors(self, name: str, errors: str, wait: float) -> None:
        """Requests fail, or do not."""
        self.let({"backend": name, "errors": errors}, wait)

    @rule(mode=st.sampled_from(["up", "up", "down", "slow", "empty", "nan"]), wait=WAITS)
    def prometheus(self, mode: str, wait: float) -> None:
        """The source does otherwise."""
        self.let({"prometheus": mode}, wait)

    @rule(action=st.sampled_from(PEOPLE), wait=WAITS)
    def person(self, action: str, wait: float) -> None:
        """A person orders something."""
        self.let({"command": action, **({"revision": "v2"} if action == "start" else {})}, wait)

    @rule(to=st.sampled_from(["", *BACKUPS]), wait=WAITS)
    def order_failover(self, to: str, wait: float) -> None:
        """A person orders a failover."""
        self.let({"command": "failover", **({"to": to} if to else {})}, wait)

    @rule(old=st.sampled_from([0, 0, 0, 1]), action=st.sampled_from(["failback", "approve"]), wait=WAITS)
    def order_by_number(self, old: int, action: str, wait: float) -> None:
        """A person names the present failover, or an old one."""
        self.let({"command": action, "epoch": max(0, self.failover.get("epoch", 0) - old)}, wait)

    @rule(fate=st.sampled_from(["restart", "kill", "blind", "blind", "seeing", "seeing"]), wait=WAITS)
    def controller(self, fate: str, wait: float) -> None:
        """Something befalls the controller."""
        self.let({"controller": fate}, wait)

    @rule(gap=st.sampled_from([0.1, 0.3]), wait=WAITS)
    def restart_blind(self, gap: float, wait: float) -> None:
        """The controller comes back and sees nothing."""
        self.let({"controller": "restart"}, gap)
        self.let({"controller": "blind"}, wait)

    @rule(mode=st.sampled_from(["up", "up", "down", "conflict"]), wait=WAITS)
    def api(self, mode: str, wait: float) -> None:
        """Writes are refused, or not."""
        self.let({"api": mode}, wait)

    @rule(
        weights=st.sampled_from([(100, 0, 0, 0), (0, 0, 100, 0), (0, 0, 0, 0), (50, 20, 20, 10), (0, 100, 0, 0)]),
        wait=WAITS,
    )
    def foreign(self, weights: tuple[int, ...], wait: float) -> None:
        """Somebody else changes the weights."""
        self.let({"route": {"name": "checkout", "weights": dict(zip(BACKENDS, weights, strict=True))}}, wait)

    @rule(accepted=st.sampled_from([True, True, False, "pending"]), wait=WAITS)
    def gateway(self, accepted: bool | str, wait: float) -> None:  # noqa: FBT001 - Hypothesis draws it by name
        """The gateway serves the route, or does not."""
        self.let({"route": {"name": "checkout", "accepted": accepted}}, wait)

    @rule(switch=st.sampled_from(["auto", "auto", "stopped"]), wait=WAITS)
    def operator(self, switch: str, wait: float) -> None:
        """The operator turns the switch."""
        self.let({"failover": switch}, wait)

    @rule(
        spec=st.sampled_from(
            [
                {"suspend": True},
                {"suspend": False},
                {"failover": {"mode": "Auto"}},
                {"failover": {"mode": "Propose"}},
                {"failover": {"mode": "Observe"}},
            ]
        ),
        wait=WAITS,
    )
    def edit(self, spec: dict[str, Any], wait: float) -> None:
        """Somebody edits the manifest."""
        self.let({"spec": spec}, wait)

    @rule(names=st.sampled_from(["", "", STABLE, NEAR]), wait=WAITS)
    def maintenance(self, names: str, wait: float) -> None:
        """A backend is scaled to zero on purpose, or is so no more."""
        self.let({"annotations": {"rollout.dev/maintenance": names}}, wait)

    @rule(wait=WAITS)
    def restored(self, wait: float) -> None:
        """The Rollout is restored without its status; how often it failed over is forgotten."""
        self.automatic.clear()
        self.let({"status": "lost"}, wait)

    @rule(wait=st.sampled_from([20.0, 60.0]))
    def quiet(self, wait: float) -> None:
        """Nothing happens for a while."""
        self.advance(wait)

    @precondition(lambda self: self.play is not None)
    @rule()
    def well_for_a_while(self) -> None:
        """All is well again, so that failbacks are seen, too."""
        self.heal()
        self.advance(25.0)

    @property
    def failover(self) -> Mapping[str, Any]:
        """Return where failover stands by the last record."""
        stands: Mapping[str, Any] = self.begun.world.store.last_status.get("failover", {})
        return stands

    @property
    def begun(self) -> Play:
        """Return the play, which has begun."""
        assert self.play is not None
        return self.play

    def let(self, happens: Mapping[str, Any], wait: float) -> None:
        """Let an event happen, then time pass."""
        self.loop.run_until_complete(_happens(self.begun, Event.model_validate({"at": "0s", **happens})))
        self.advance(wait)

    def advance(self, seconds: float) -> None:
        """Let time pass, look at the world in between, then check what was done."""
        until = self.begun.world.now + seconds
        while self.begun.world.now < until - 1e-6:
            self.look()
            self.loop.run_until_complete(self.begun.wait_until(min(until, self.begun.world.now + SLICE)))
        self.look()
        self.check()

    def look(self) -> None:
        """Let everybody have an opinion of what there is now."""
        world = self.begun.world
        for backend in world.health.backends:
            seen = world.health.seen(backend)
            heard = seen.heard_at - EPOCH if seen.heard_at is not None and self.by_endpoints else None
            self.opinions[backend.name].add(Look(world.now, seen.ready, heard, world.probe(backend.name)))

    def check(self) -> None:
        """Check what was recorded and written since the last check."""
        world = self.begun.world
        assert not [entry for entry in self.told if entry.get("exc_info")]
        assert not world.store.doubled
        for write in world.routes.writes[self.written :]:
            assert sum(write.weights.values()) == TOTAL, write
            assert set(write.weights) == set(BACKENDS)
        self.written = len(world.routes.writes)
        for made in world.store.history[self.moved :]:
            before = world.store.history[self.moved - 1] if made["number"] > 1 else None
            self.moved += 1
            if before is not None and before["weights"] and made["weights"] and made["reason"] not in ADOPTED:
                self.check_risers(before, made)
            self.check_damping(before, made)

    def check_risers(self, before: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        """Nobody gets more who is not freshly healthy, except as allUnhealthy asks when nobody is."""
        at, had, has = made["at"] - EPOCH, before["weights"], made["weights"]
        risers = [name for name in BACKUPS if has[name] > had[name]]
        if sum(has[name] for name in BACKUPS) < sum(had[name] for name in BACKUPS):
            stable = max((STABLE, CANARY), key=lambda name: has[name])
            risers.append(stable)
        if made["reason"] == "AllUnhealthy":
            well = [name for name in BACKUPS if self.opinions[name].must_be_known_healthy(at)]
            assert not well or self.by_metrics, made
            return
        for name in risers:
            assert self.may_receive(name, at), (name, made)

    def may_receive(self, name: str, at: float) -> bool:
        """Return whether somebody can have known the backend to be well, and not ill."""
        opinion = self.opinions[name]
        return opinion.may_be_known_healthy(at) and not opinion.is_known_ill(at)

    def check_damping(self, before: Mapping[str, Any] | None, made: Mapping[str, Any]) -> None:
        """Not more than maxFailovers without a person, the last one latched; failback after cooldown and stableFor."""
        at, reason, stands = made["at"] - EPOCH, made["reason"], made["failover"]
        by_person = " ordered" in made["message"] or " by rehearsal" in made["message"]
        if reason == "FailingBack" and "began" in made["message"] and not by_person:
            assert at - self.last_move >= COOLDOWN - 0.01, made
            assert at - self.last_failure >= STABLE_FOR - 0.01, made
        if before is not None and before["weights"] != made["weights"]:
            self.last_move = at
        if reason in {"FailedOver", "FailbackBroke", "Latched"}:
            self.last_failure = at
        if reason == "Unlatched":
            self.automatic.clear()
        if reason not in {"FailedOver", "Latched"} or by_person:
            return
        self.automatic = [*(each for each in self.automatic if each > at - PER), at]
        assert len(self.automatic) <= MOST_FAILOVERS, made
        assert (stands["phase"] == "Latched") == (len(self.automatic) == MOST_FAILOVERS), made

    def heal(self) -> None:
        """Let everything be well that is not a person's will."""
        well: list[Mapping[str, Any]] = [
            {"api": "up"},
            {"prometheus": "up"},
            {"controller": "seeing"},
            {"route": {"name": "checkout", "accepted": True}},
            *({"backend": name, "ready": "2/2", "probe": "ok", "errors": "0.1%"} for name in BACKENDS),
        ]
        for each in well:
            self.let(each, 0.0)

    def teardown(self) -> None:
        """Let all be well and people content: then it is normal again, and the weights are where they belong."""
        try:
            if self.play is not None:
                self.to_normal()
        finally:
            if self.play is not None:
                self.loop.run_until_complete(_ended(self.play))
            self.logs.__exit__(None, None, None)
            self.loop.close()

    def to_normal(self) -> None:
        """Wait for what must come."""
        self.advance(6.0)
        self.heal()
        self.let({"failover": "auto"}, 0.0)
        self.let({"spec": {"suspend": False, "failover": {"mode": "Auto", "drill": None}}}, 1.0)
        ends = self.begun.world.now + TO_THE_END
        while not (self.is_normal() and self.is_written()) and self.begun.world.now < ends:
            self.content()
            self.advance(20.0)
        self.advance(2.0)
        status = self.begun.world.store.last_status

        assert self.is_normal(), status
        assert self.is_written(), (self.weights(), status)

    def is_normal(self) -> bool:
        """Return whether nothing is moved, and it is known who is who."""
        intended = self.begun.world.store.last_status["weights"]["intended"]
        return bool(self.failover["phase"] == "Normal" and intended and self.of_backups(intended) <= self.standby)

    def is_written(self) -> bool:
        """Return whether the route says what is intended, or is left to somebody who changes it again and again."""
        status = self.begun.world.store.last_status
        [conflict] = [each for each in status["conditions"] if each["type"] == "OwnershipConflict"]
        return bool(conflict["status"] == "True" or self.weights() == status["weights"]["intended"])

    def weights(self) -> Mapping[str, int]:
        """Return what the route says."""
        [weights] = self.begun.world.routes.in_force()
        return dict(weights)

    def of_backups(self, weights: Mapping[str, int]) -> int:
        """Return what the backups have."""
        return sum(weights[name] for name in BACKUPS)

    def content(self) -> None:
        """Let people take back what they ordered, and clear what waits for them."""
        stands = self.failover
        if self.begun.world.store.last_status["reason"] == "RolesUnknown":
            self.let({"command": "adopt", "stable": STABLE}, 0.5)
        elif stands["phase"] == "Latched":
            self.let({"command": "unlatch"}, 0.5)
        elif stands.get("reason") == "WaitingForFailback":
            self.let({"command": "failback", "epoch": stands["epoch"]}, 0.5)


async def _begun(chosen: Rehearsal) -> Play:
    return Play(chosen)


async def _happens(play: Play, event: Event) -> None:
    play.happen(event)


async def _ended(play: Play) -> None:
    play.end()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*rest, return_exceptions=True)


RUNS = 4


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", range(RUNS))
def test_failover_machine(number: int) -> None:
    """Some plays for each seed; a run ends early where the same choices lead elsewhere the second time."""
    plays = settings(
        max_examples=max(1, EXAMPLES // RUNS),
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    seed(number)(Failover)
    with suppress(FlakyStrategyDefinition):
        run_state_machine_as_test(Failover, settings=plays)
