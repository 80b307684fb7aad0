"""What holds for every sequence of passes: whatever is seen and asked, in whatever order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollout.engine.attempt import ALL
from rollout.engine.decide import Decision, decide
from rollout.engine.observation import Acceptance, Command, Endpoints, Observation
from rollout.engine.orders import CopyTemplate
from rollout.engine.state import State
from rollout.engine.status import from_status, to_status
from rollout.engine.table import RUNNING, Action, Phase
from rollout.engine.weights import FLOOR_TOTAL
from rollout.spec.resource import Rollout
from tests.engine.builders import DOWN, ROUTE, UP, V1, V2, World, batch, rollout, route, rule, weighing, workload

ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s"}
PLAN = [{"weight": 5, "hold": "30s"}, {"weight": 33.3, "approval": True}, {"weight": 0.001}, {"weight": 100}]
BACKUPS = {"stable": {"name": V1}, "canary": {"name": V2}, "backups": [{"name": "checkout-dr"}]}
SPECS: tuple[Rollout | None, ...] = (
    rollout(steps=PLAN),
    rollout(steps=PLAN, revision="2"),
    rollout(steps=PLAN, revision="3", gateway={"separateClusters": True}),
    rollout(steps=PLAN, revision="2", analysis=ERRORS),
    rollout(steps=PLAN, revision="2", drift="Pause", gateway={"minWriteInterval": "20s"}),
    rollout(steps=PLAN[:1], revision="2", drift="Ignore"),
    rollout(steps=PLAN[2:], start="Manual"),
    rollout(steps=PLAN, start="OnWorkload"),
    rollout(backends={"stable": {"name": V2}, "canary": {"name": V1}}),
    rollout(backends={"stable": {"name": V1}, "canary": {"name": "checkout-v3"}}),
    rollout(backends=BACKUPS, suspend=True),
    None,
)
FLAGS = {"scaleUp": True, "scaleDown": True}
SCALED = {role: {"kind": "Deployment", "name": name, **FLAGS} for role, name in (("stable", V1), ("canary", V2))}
COPY = {"promotion": {"mode": "CopyTemplate"}, "workloads": SCALED}
COPYING: tuple[Rollout, ...] = (
    rollout(steps=PLAN, start="OnWorkload", **COPY),
    rollout(steps=PLAN, revision="2", gateway={"separateClusters": True}, **COPY),
    rollout(steps=PLAN[:1], revision="2", drift="Ignore", **COPY),
)
ENDPOINTS = (UP, DOWN, Endpoints(ready=0, total=0), Endpoints(ready=0, total=0, known=False))
ARGUMENTS: Mapping[str, st.SearchStrategy[dict[str, object]]] = {
    Action.START: st.sampled_from([{"revision": "2"}, {"revision": "3"}, {}, {"revision": 4}]),
    Action.PROMOTE: st.sampled_from([{"full": True}, {}, {"full": "yes"}]),
    Action.APPROVE: st.sampled_from([{}, {"step": 1}, {"step": 2}, {"step": -1}]),
    Action.ADOPT: st.sampled_from([{"stable": V1}, {"stable": V2}, {"stable": "nobody"}, {}]),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """What happens before one pass: time goes on, somebody may do something, and this is seen."""

    after: float
    wanted: Rollout | None
    happens: Callable[[World], None]
    fields: dict[str, object] = field(default_factory=dict)


def _nothing(_world: World) -> None:
    """Leave everything as it is."""


def _meddle(stable: int, canary: int) -> Callable[[World], None]:
    return lambda world: world.meddle(stable, canary)


def _endpoints(name: str, found: Endpoints) -> Callable[[World], None]:
    return lambda world: world.endpoints.update({name: found})


def _route_is(gone: bool) -> Callable[[World], None]:  # noqa: FBT001 - a row
    def happen(world: World) -> None:
        world.views[ROUTE] = None if gone else world.views[ROUTE] or weighing(100, 0)

    return happen


def _acceptance(said: Acceptance) -> Callable[[World], None]:
    return lambda world: world.accept(said) if world.views[ROUTE] else None


def _writes_are(lost: bool) -> Callable[[World], None]:  # noqa: FBT001 - a row
    def happen(world: World) -> None:
        world.lost = lost

    return happen


def _workload_is(name: str, replicas: int | None) -> Callable[[World], None]:
    view = workload(name, replicas=replicas) if replicas is not None else None
    return lambda world: world.workloads.update({name: view})


def _template(name: str, template: str) -> Callable[[World], None]:
    return lambda world: world.change(name, template) if world.workloads[name] else None


def _rolled(name: str, ready: int | None, failed: str) -> Callable[[World], None]:
    return lambda world: world.rolled(name, ready=ready, failed=failed) if world.workloads[name] else None


NAMES = st.sampled_from([V1, V2])
HAPPENINGS = st.one_of(
    st.just(_nothing),
    st.builds(_meddle, st.integers(0, 100), st.integers(0, 100)),
    st.builds(_endpoints, NAMES, st.sampled_from(ENDPOINTS)),
    st.builds(_template, NAMES, st.sampled_from(["one", "two", "three"])),
    st.builds(_rolled, NAMES, st.sampled_from([None, None, 1]), st.sampled_from(["", "", "timed out"])),
    st.builds(_workload_is, NAMES, st.sampled_from([None, 0, 3])),
    st.builds(_route_is, st.booleans()),
    st.builds(_acceptance, st.sampled_from(Acceptance)),
    st.builds(_writes_are, st.booleans()),
)


@st.composite
def commands(draw: st.DrawFn) -> Command | None:
    """Return no command, or one of those there are (and are not), with good and bad arguments."""
    action = draw(st.sampled_from([None, None, *Action, "fly"]))
    if action is None:
        return None
    args = draw(ARGUMENTS.get(action, st.sampled_from([{}, {}, {"x": 1}])))
    return Command(id=draw(st.uuids()).hex, action=action, args=args, at=1e9, by="somebody")


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    """Return a turn; most of them want the same Rollout with an attempt to run."""
    fields: dict[str, object] = {
        "command": draw(commands()),
        "source_problem": draw(st.sampled_from([None, None, ("SourceDown", "no answer")])),
        "deleting": draw(st.integers(0, 15)) == 15,
        "generation": draw(st.integers(0, 2)),
    }
    wanted = draw(st.sampled_from([SPECS[1]] * 8 + [SPECS[3]] * 4 + list(SPECS) + list(COPYING) * 4))
    if draw(st.booleans()):
        fields["requests"] = (draw(st.integers(0, 5000)), draw(st.integers(0, 5000)), draw(st.integers(0, 200)))
    return Turn(draw(st.sampled_from([0.0, 1.0, 10.0, 31.0, 700.0])), wanted, draw(HAPPENINGS), fields)


SEQUENCES = st.lists(turns(), max_size=14)
QUICK = settings(
    max_examples=min(120, settings().max_examples),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass that was run: from which state, what was wanted and seen, what was decided."""

    before: State
    wanted: Rollout | None
    seen: Observation
    decision: Decision


def _view(world: World) -> None:
    two = {V1: 100, V2: 0}
    world.views[ROUTE] = route(
        rule({**two, "checkout-v3": 0, "elsewhere": 5}), rule({V1: 1000, V2: 0, "checkout-v3": 0}, index=1)
    )


def _played(sequence: list[Turn]) -> list[Pass]:
    world = World(workloads={V1: workload(V1), V2: workload(V2, replicas=0)})
    _view(world)
    passes = []
    for turn in [Turn(0.0, rollout(steps=PLAN), _nothing), *sequence]:
        world.wanted, before = turn.wanted, world.state
        world.now += turn.after
        turn.happens(world)
        seen = world.observation(**_fields(turn, world.now))
        decision = world.take(decide(world.wanted, world.state, seen))
        passes.append(Pass(before, turn.wanted, seen, decision))
    return passes


def _fields(turn: Turn, now: float) -> dict[str, object]:
    fields = dict(turn.fields)
    command, requests = fields.get("command"), fields.pop("requests", None)
    if isinstance(command, Command):
        fields["command"] = replace(command, at=now)
    if isinstance(requests, tuple):
        stable, canary, bad = requests
        fields["batch"] = batch((now - 9, 0, 0), (now - 1, stable, canary), bad=bad)
    return fields


@given(SEQUENCES)
@QUICK
def test_every_write_gives_out_the_whole_total(sequence: list[Turn]) -> None:
    """The weights written into a rule sum to its total, are never negative and never all zero."""
    for made in _played(sequence):
        for write in made.decision.writes:
            for ours in write.rules:
                owned = next(one for one in made.decision.state.owned if one.index == ours.index)
                total = sum(ours.weights.values())

                assert total > 0
                assert total in {owned.total, FLOOR_TOTAL if owned.alone else owned.total}
                assert min(ours.weights.values()) >= 0


@given(SEQUENCES)
@QUICK
def test_only_our_backends_are_written(sequence: list[Turn]) -> None:
    """A foreign ref of the rule is in no write."""
    for made in _played(sequence):
        named = {backend.name for write in made.decision.writes for ours in write.rules for backend in ours.weights}

        assert "elsewhere" not in named


@given(SEQUENCES)
@QUICK
def test_pods_are_replaced_or_taken_away_only_where_no_weight_is(sequence: list[Turn]) -> None:
    """Whatever came before, such an order meets a backend that gets no request, and the version that is seen."""
    for made in _played(sequence):
        for order in made.decision.orders:
            key = order.target if isinstance(order, CopyTemplate) else order.key
            view = made.seen.workloads[key.name]
            assert view is not None
            taken = isinstance(order, CopyTemplate) or order.replicas < view.replicas

            assert view.version == order.expected
            assert not (taken and any(weight > 1 for weight in _weights_of(key.name, made.seen)))


def _weights_of(name: str, seen: Observation) -> list[int]:
    """Return what the two rules that are ours give to a backend."""
    view = seen.routes[ROUTE]
    assert view is not None
    return [ref.weight for rule in view.rules for ref in rule.refs if ref.backend.name == name]


@given(SEQUENCES)
@QUICK
def test_nothing_is_ordered_of_workloads_against_the_will_of_people(sequence: list[Turn]) -> None:
    """While suspended, paused, invalid or being deleted, and after an abort was ordered, no template is copied."""
    for made in _played(sequence):
        state, copies = made.decision.state, [one for one in made.decision.orders if isinstance(one, CopyTemplate)]
        forbids = made.wanted is None or made.wanted.spec.suspend or made.seen.deleting

        assert not (copies and (forbids or state.phase is not Phase.PROMOTING or state.share < ALL))


@given(SEQUENCES)
@QUICK
def test_an_abort_by_a_person_always_wins(sequence: list[Turn]) -> None:
    """While an attempt runs and nothing is suspended, abort takes all weight from the canary in this very pass."""
    for made in _played(sequence):
        if not _is_abortable(made):
            continue
        asked = Command(id="last-word", action="abort", at=made.seen.now)
        decision = decide(made.wanted, made.before, replace(made.seen, command=asked))
        ended = next(one for one in decision.state.handled if one.id == "last-word")

        assert ended.done
        assert decision.state.phase in {Phase.ABORTING, Phase.ABORTED} or decision.state.attempt > made.before.attempt
        assert decision.state.share == 0 or decision.state.attempt > made.before.attempt


def _is_abortable(made: Pass) -> bool:
    """Return whether an attempt runs that neither the spec nor a copy to a stable that is down forbids to touch."""
    stable = made.seen.endpoints.get(made.before.stable, UP)
    if made.before.copying_at and stable.known and not stable.ready:
        return False
    phase = made.before.phase if made.before.phase is not Phase.INVALID else made.before.before_invalid
    suspended = made.wanted is not None and made.wanted.spec.suspend
    return bool(made.before.stable) and phase in RUNNING and not suspended


@given(SEQUENCES)
@QUICK
def test_a_canary_that_is_lost_never_keeps_weight(sequence: list[Turn]) -> None:
    """In an attempt whose canary has no ready endpoint but whose stable has, the intended share is 0 after the pass."""
    for made in _played(sequence):
        state = made.decision.state
        down, up = made.seen.endpoints.get(state.canary), made.seen.endpoints.get(state.stable)
        suspended = made.wanted is not None and made.wanted.spec.suspend
        if down is None or up is None or not down.known or down.ready or not up.ready or suspended:
            continue

        assert state.share == 0 or made.seen.deleting


@given(SEQUENCES)
@QUICK
def test_a_replayed_observation_changes_nothing(sequence: list[Turn]) -> None:
    """Seen again without a new sample or command, the same world needs no status write after a few decisions."""
    for made in _played(sequence)[-3:]:
        again = replace(made.seen, batch=None, command=None)
        state = made.decision.state
        for _ in range(4):
            state = decide(made.wanted, state, again).state

        assert not decide(made.wanted, state, again).significant


@given(SEQUENCES, st.sampled_from([0.0, 3.0, 5.0, 61.0, 700.0, 4000.0]))
@QUICK
def test_a_world_that_stands_still_is_not_looked_at_all_the_time(sequence: list[Turn], later: float) -> None:
    """However long ago anything was: once nothing changes any more, the next pass is not due at once for ever."""
    for made in _played(sequence)[-2:]:
        again = replace(made.seen, batch=None, command=None, now=made.seen.now + later)
        state, decision = made.decision.state, made.decision
        for look in range(8):
            decision = decide(made.wanted, state, replace(again, now=again.now + look / 1000))
            state = decision.state

        soonest = decision.next_at if decision.next_at is not None else float("inf")
        assert soonest - again.now > 0.05


@given(SEQUENCES)
@QUICK
def test_a_restart_changes_no_decision(sequence: list[Turn]) -> None:
    """A state that went through the status as JSON decides exactly as the one in memory."""
    for made in _played(sequence):
        read = from_status(json.loads(json.dumps(to_status(made.before))))
        assert read is not None

        assert decide(made.wanted, read, made.seen) == made.decision


@given(SEQUENCES)
@QUICK
def test_transitions_are_numbered_without_a_gap(sequence: list[Turn]) -> None:
    """Every transition is told once, and each has the number after the one before."""
    numbers = [one.number for made in _played(sequence) for one in made.decision.transitions]

    assert numbers == list(range(1, len(numbers) + 1))


@given(SEQUENCES)
@QUICK
def test_every_state_says_why(sequence: list[Turn]) -> None:
    """After each pass there is a reason and a sentence, also when nothing happened."""
    for made in _played(sequence):
        assert made.decision.state.reason
        assert made.decision.state.message


@given(SEQUENCES)
@QUICK
def test_a_decision_depends_on_nothing_else(sequence: list[Turn]) -> None:
    """The same Rollout, state and observation give the same decision."""
    for made in _played(sequence):
        assert decide(made.wanted, made.before, made.seen) == made.decision


def test_steps_edited_together_with_a_withdrawn_revision_abort_a_pause() -> None:
    """A paused attempt whose revision is withdrawn and whose steps are edited in one look is aborted."""
    world = World(rollout(steps=PLAN))
    world.look()
    world.tell("start", revision="2")
    world.tell("pause")
    world.look(after=1)
    world.wanted = rollout(steps=PLAN, revision="3")
    world.look(after=1)
    world.tell("pause")
    world.wanted = rollout(steps=PLAN[:2], revision="1")
    world.look(after=1)

    assert world.state.phase in {Phase.ABORTING, Phase.ABORTED}
