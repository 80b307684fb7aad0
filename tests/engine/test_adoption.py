"""Facts about roles that no status tells: read from the weights, or from a person, never guessed."""

from dataclasses import replace

import pytest

from rollout.engine.decide import Decision
from rollout.engine.observation import RouteView
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from tests.engine.builders import DR, ROUTE, V1, V2, World, rollout, route, rule, under_way, weighing

BACKENDS = {"stable": {"name": V1}, "canary": {"name": V2}, "backups": [{"name": DR}]}


def _found(view: RouteView, **spec: object) -> World:
    world = World(rollout(**spec), views={ROUTE: view})
    world.look()
    return world


def test_all_weight_on_the_first_is_a_baseline() -> None:
    """All on the stable of the spec: it is stable, and the revision is where attempts start from."""
    world = _found(weighing(100, 0))

    assert (world.state.stable, world.state.canary, world.state.reason) == (V1, V2, Reason.BASELINE)
    assert (world.state.phase, world.state.stable_revision) == (Phase.IDLE, "1")
    assert world.state.message.endswith("Revision 1 is the baseline.")


def test_all_weight_on_the_other_gives_it_the_stable_role() -> None:
    """All on the canary of the spec: that one is stable, nothing is moved."""
    world = _found(weighing(0, 100))

    assert (world.state.stable, world.state.canary, world.state.reason) == (V2, V1, Reason.ADOPTED)
    assert world.weights() == (0, 100)


def test_a_rollout_without_a_revision_has_no_baseline_of_one() -> None:
    """Without `spec.revision` the message does not speak of any."""
    world = _found(weighing(100, 0), revision=None)

    assert world.state.message == f"{V1} carries all weight and is stable; nothing has been started."


def test_all_weight_on_a_backup_writes_nothing() -> None:
    """All on a backup: the roles are unknown, and it is said where the weight is."""
    world = _found(weighing(0, 0, checkout_dr=100), backends=BACKENDS)

    assert (world.state.phase, world.state.reason) == (Phase.PAUSED, Reason.ON_BACKUP)
    assert world.state.stable == ""
    assert world.state.message.startswith(f"All weight is on backup {DR}")


def test_mixed_weights_are_not_guessed() -> None:
    """Weight on both: Paused, RolesUnknown, and nothing is written."""
    world = _found(weighing(70, 30))

    assert (world.state.phase, world.state.reason) == (Phase.PAUSED, Reason.ROLES_UNKNOWN)
    assert world.weights() == (70, 30)


def test_two_refs_without_weights_are_mixed() -> None:
    """The Gateway API reads absent weights as 1 and 1, which tells no roles."""
    world = _found(weighing(1, 1))

    assert world.state.reason == Reason.ROLES_UNKNOWN
    assert world.state.message.startswith(f"Weight is on {V1}, {V2}")


def test_no_weight_at_all_is_said() -> None:
    """All zero: the roles are unknown."""
    world = _found(weighing(0, 0))

    assert world.state.message.startswith("Weight is on no backend")


def test_rules_that_disagree_are_mixed() -> None:
    """One rule on v1 and another on v2 tell no roles."""
    world = _found(route(rule({V1: 100, V2: 0}), rule({V1: 0, V2: 100}, index=1)))

    assert world.state.reason == Reason.ROLES_UNKNOWN


def test_unknown_roles_are_told_once() -> None:
    """Looking again at the same mixed weights makes no further transition."""
    world = _found(weighing(70, 30))

    assert world.look(after=60).transitions == ()


def test_weights_that_become_clear_end_the_pause() -> None:
    """Once the weights tell the roles, the Rollout is at rest without a command."""
    world = _found(weighing(70, 30))
    world.meddle(100, 0)
    world.look(after=1)

    assert (world.state.phase, world.state.reason, world.state.stable) == (Phase.IDLE, Reason.ADOPTED, V1)


def test_a_person_tells_the_roles() -> None:
    """`adopt` gives the stable role, and then it has all weight."""
    world = _found(weighing(70, 30))
    world.tell("adopt", stable=V2)
    world.look(after=1)

    assert (world.state.phase, world.state.stable, world.state.canary) == (Phase.IDLE, V2, V1)
    assert world.weights() == (0, 100)


def test_a_revision_that_comes_while_roles_are_unknown_is_the_baseline() -> None:
    """What is wanted when the roles become known is what attempts start from."""
    world = _found(weighing(70, 30))
    world.wanted = rollout(revision="2")
    world.meddle(100, 0)
    world.look(after=1)
    world.look(after=1)

    assert (world.state.phase, world.state.stable_revision) == (Phase.IDLE, "2")


def test_a_baseline_survives_a_second_adoption() -> None:
    """Roles that become unknown later and known again leave the revision that was seen."""
    world = _found(weighing(100, 0))
    world.state = World(state=world.state).state
    world.wanted = rollout(backends={"stable": {"name": "blue"}, "canary": {"name": "green"}}, revision="2")
    world.views[ROUTE] = route(rule({"blue": 100, "green": 0}))
    world.look(after=1)

    assert (world.state.stable, world.state.stable_revision) == ("blue", "1")


def _unknown_after_an_attempt() -> World:
    """Return a world that has run an attempt, and whose new pair of backends tells no roles."""
    world = under_way()
    world.tell("promote", full=True)
    world.look(after=1)
    world.wanted = rollout(backends={"stable": {"name": "blue"}, "canary": {"name": "green"}})
    world.views[ROUTE] = route(rule({"blue": 50, "green": 50}))
    world.look(after=1)
    assert world.state.reason == Reason.ROLES_UNKNOWN
    return world


def test_a_new_revision_starts_nothing_while_roles_are_unknown() -> None:
    """Neither a newer revision nor the one that stable runs moves anything before the roles are known."""
    world = _unknown_after_an_attempt()
    world.wanted = rollout(backends={"stable": {"name": "blue"}, "canary": {"name": "green"}}, revision="2")
    decision = world.look(after=1)

    assert (world.state.phase, world.state.reason) == (Phase.PAUSED, Reason.ROLES_UNKNOWN)
    assert decision.writes == ()


def test_a_rollout_without_roles_can_be_deleted_at_once() -> None:
    """Where nobody knows which backend is stable, there is nothing to give back."""
    world = _unknown_after_an_attempt()
    decision = world.look(after=1, deleting=True)

    assert decision.finished
    assert decision.writes == ()


def _restarted_with(old: World, now: World) -> World:
    """Return the world of ``now`` with the status of ``old``, as a controller finds it that has just started."""
    view = now.views[ROUTE]
    assert view is not None
    later = World(now.wanted, state=old.state, now=now.now + 60)
    later.views[ROUTE] = replace(view, written_at=float(int(now.now)))
    later.look(session_started_at=later.now)
    return later


def _world_at(step: int) -> World:
    world = under_way()
    world.look(after=2)
    for _ in range(step - 1):
        world.tell("promote")
        world.look(after=2)
    return world


def test_a_status_older_than_our_mixed_weights_knows_no_roles() -> None:
    """The status of step 1 comes back during step 2: nothing is moved, and a person has to tell the roles."""
    world = _restarted_with(_world_at(1), now := _world_at(2))

    assert (world.state.phase, world.state.reason) == (Phase.PAUSED, Reason.ROLES_UNKNOWN)
    assert world.weights() == now.weights()
    assert [made.reason for made in world.state.transitions[-2:]] == [Reason.ADOPTED, Reason.ROLES_UNKNOWN]
    assert "newer than the status, which said Progressing" in world.state.transitions[-2].message


def test_a_status_older_than_our_rollback_does_not_begin_again() -> None:
    """The status of step 1 comes back after an abort: the canary that was aborted gets nothing."""
    ended = _world_at(1)
    ended.tell("abort")
    ended.look(after=2)
    ended.wanted = rollout(revision="2")
    world = _restarted_with(_world_at(1), ended)
    world.look(after=1)

    assert (world.state.phase, world.state.stable, world.state.stable_revision) == (Phase.IDLE, V1, "2")
    assert world.weights() == (100, 0)


def test_a_status_older_than_a_swap_gives_the_weight_to_nobody() -> None:
    """The status of an aborted attempt comes back after a promotion: who has all weight is stable."""
    aborted = _world_at(1)
    aborted.tell("abort")
    aborted.look(after=2)
    promoted = _world_at(1)
    promoted.look(after=4)
    promoted.tell("promote", full=True)
    promoted.look(after=2)
    world = _restarted_with(aborted, promoted)

    assert (world.state.phase, world.state.stable) == (Phase.IDLE, V2)
    assert world.weights() == (0, 100)


def test_a_route_older_than_the_status_is_put_right() -> None:
    """What we wrote before the last transition, and somebody put back, is drift."""
    world = _world_at(2)
    old = _world_at(1).views[ROUTE]
    assert old is not None
    world.views[ROUTE] = replace(old, version="77", written_at=world.now - 100)
    world.look(after=60, session_started_at=world.now + 60)
    world.look(after=1)

    assert world.state.phase is Phase.PROGRESSING
    assert world.weights() == (50, 50)


def test_what_we_wrote_since_the_start_is_never_out_of_date() -> None:
    """A write of ours that lands late, after another one, is put right as any other drift."""
    world = _world_at(2)
    old = _world_at(1).views[ROUTE]
    assert old is not None
    world.views[ROUTE] = replace(old, version="77", written_at=world.now + 100)
    world.look(after=200)
    world.look(after=1)

    assert world.state.phase is Phase.PROGRESSING
    assert world.weights() == (50, 50)


def _another_writes(world: World) -> Decision:
    """Run the first pass after a restart, with a route that another Rollout of ours has written meanwhile."""
    world.now += 60
    view = world.views[ROUTE]
    assert view is not None
    world.views[ROUTE] = replace(view, version="99", written_at=world.now)
    return world.look(after=60, session_started_at=world.now)


@pytest.mark.parametrize("mode", ["Correct", "Ignore", "Pause"])
def test_foreign_weights_that_are_left_do_not_take_the_roles_away(mode: str) -> None:
    """What we wrote last into a route may be another Rollout's rule: weights known to be foreign are still foreign."""
    world = _found(weighing(100, 0), drift=mode)
    for _ in range(4):
        world.meddle(30, 70, by="helm")
        world.look(after=1)
    decision = _another_writes(world)

    assert (world.state.phase, world.state.stable) == (Phase.IDLE, V1)
    assert decision.transitions == ()
    assert world.weights() == (30, 70)


def test_foreign_weights_that_the_status_knew_do_not_take_the_roles_away() -> None:
    """Those recorded as found are no news, also where nothing says yet that they are foreign."""
    world = _found(weighing(100, 0))
    world.meddle(30, 70)
    world.state = replace(world.state, observed=((V1, 30), (V2, 70)))
    decision = _another_writes(world)

    assert world.state.stable == V1
    assert decision.transitions == ()
