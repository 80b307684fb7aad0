"""Facts about commands: what each does, and why it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.commands import OLDEST_SECONDS
from rollout.engine.decide import UNANSWERED_SECONDS
from rollout.engine.observation import Endpoints
from rollout.engine.reasons import Reason, Refusal
from rollout.engine.refusals import UNSEEN_SECONDS
from rollout.engine.state import MOST_HANDLED
from rollout.engine.table import Phase
from tests.engine.builders import DOWN, UP, V1, V2, World, aborted, at_rest, command, rollout, under_way

UNKNOWN = type(UP)(ready=0, total=0, known=False)


def _refusal(world: World) -> tuple[str, str]:
    done = world.state.handled[-1]
    assert not done.done
    return done.reason, done.message


def _promoted(**spec: object) -> World:
    world = under_way(**spec)
    world.tell("promote", full=True)
    world.look()
    assert world.state.phase is Phase.IDLE
    return world


# ---------------------------------------------------------------- any command


def test_a_command_is_carried_out_once_per_id() -> None:
    """The same id a second time does nothing, whatever it asks for."""
    world = under_way()
    world.look(command=command("pause", at=world.now, id="one"))
    world.look(command=command("resume", at=world.now, id="one"))

    assert world.state.phase is Phase.PAUSED
    assert [done.id for done in world.state.handled].count("one") == 1


def test_the_last_twenty_ids_are_kept() -> None:
    """Ids are forgotten, the oldest first."""
    world = at_rest()
    for number in range(MOST_HANDLED + 5):
        world.look(command=command("skip", at=world.now, id=f"id-{number}"))

    assert [done.id for done in world.state.handled] == [f"id-{number}" for number in range(5, MOST_HANDLED + 5)]


def test_a_command_of_five_minutes_is_carried_out() -> None:
    """A command may have waited for five minutes."""
    world = under_way()
    world.look(command=command("pause", at=world.now - OLDEST_SECONDS))

    assert world.state.phase is Phase.PAUSED


def test_an_older_command_is_refused() -> None:
    """An old manifest applied again replays nothing."""
    world = under_way()
    world.look(command=command("pause", at=world.now - OLDEST_SECONDS - 1))

    assert _refusal(world) == (Refusal.EXPIRED, "pause is 301 s old; at most 300 s are allowed")


def test_a_command_that_cannot_be_read_is_refused_with_what_is_wrong_with_it() -> None:
    """What stands in its place is no command, so that nothing of it is carried out."""
    world = under_way()
    world.look(command=replace(command("abort", at=world.now), problem="args: a list is not allowed"))

    assert world.state.phase is Phase.PROGRESSING
    assert _refusal(world) == (Refusal.UNKNOWN, "args: a list is not allowed")


def test_an_unknown_command_is_refused_with_those_there_are() -> None:
    """A word that is no command is answered with the list, and a long one is cut."""
    world = at_rest()
    world.look(command=command("fly" * 100, at=world.now))
    reason, message = _refusal(world)

    assert reason == Refusal.UNKNOWN
    assert "allowed: start, pause" in message
    assert len(message) < 300


def test_commands_of_failover_need_one() -> None:
    """Where the spec has none they are refused."""
    world = at_rest()
    world.tell("failover", to="checkout-dr")

    assert _refusal(world) == (Refusal.NO_FAILOVER, "failover needs spec.failover, which is not there")


def test_an_argument_too_many_is_refused() -> None:
    """A command that takes no argument says so."""
    world = under_way()
    world.tell("pause", until="tomorrow")

    assert _refusal(world) == (Refusal.BAD_ARGUMENT, "pause takes no argument, not 'until'")


@pytest.mark.parametrize(
    ("action", "args", "message"),
    [
        ("promote", {"full": "yes"}, "full of promote must be bool, not 'yes'"),
        ("approve", {"step": True}, "step of approve must be int, not 'True'"),
        ("approve", {"steps": 1}, "approve takes step, epoch, not 'steps'"),
        ("start", {"revision": 7}, "revision of start must be str, not '7'"),
    ],
)
def test_an_argument_of_another_type_is_refused(action: str, args: dict[str, object], message: str) -> None:
    """Arguments are what they are said to be; true is no number."""
    world = under_way()
    world.tell(action, **args)

    assert _refusal(world) == (Refusal.BAD_ARGUMENT, message)


def test_who_asked_and_why_are_told() -> None:
    """The sentence of the transition names the person and the reason given."""
    world = under_way()
    given = command("abort", at=world.now)
    world.look(command=type(given)(given.id, given.action, {}, given.at, reason="pager", by="mia"))

    assert world.state.transitions[-1].message == "Rolled back: aborted by mia (pager)."


# ---------------------------------------------------------------- start, retry


def test_start_begins_an_attempt() -> None:
    """A start gives the canary the first weight in the same pass."""
    world = at_rest()
    decision = world.tell("start", revision="2")

    assert (world.state.phase, world.state.attempt, world.state.step, world.state.revision) == (
        Phase.PROGRESSING,
        1,
        1,
        "2",
    )
    assert [write.weights for write in decision.writes] == [((V1, 95), (V2, 5))]


def test_start_takes_the_revision_of_the_spec() -> None:
    """Without an argument the revision is that of the spec."""
    world = at_rest(start="Manual", revision="7")
    world.tell("start")

    assert world.state.revision == "7"


@pytest.mark.parametrize("revision", ["", "x" * 254])
def test_start_needs_a_revision(revision: str) -> None:
    """An empty or far too long revision is refused."""
    world = at_rest()
    world.tell("start", revision=revision)

    assert _refusal(world)[0] == Refusal.BAD_ARGUMENT


def test_start_without_any_revision_is_refused() -> None:
    """Neither the command nor the spec names one."""
    world = at_rest(revision=None)
    world.tell("start")

    assert _refusal(world) == (Refusal.BAD_ARGUMENT, "start needs a revision of 1 to 253 characters")


def test_start_of_what_runs_is_refused() -> None:
    """The attempt runs this revision already."""
    world = under_way()
    world.tell("start", revision="2")

    assert _refusal(world) == (Refusal.AT_WORK, "attempt 1 runs revision 2 already")


def test_start_of_something_newer_begins_anew() -> None:
    """In the middle of an attempt all weight goes back, and the next attempt begins."""
    world = under_way()
    world.tell("start", revision="3")

    assert (world.state.attempt, world.state.step, world.weights()) == (2, 0, (100, 0))
    world.look()
    assert (world.state.step, world.weights()) == (1, (95, 5))


def test_start_of_what_stable_runs_goes_straight_back() -> None:
    """In the middle of an attempt, the revision of stable is no attempt of its own."""
    world = under_way()
    world.tell("start", revision="1")
    world.look()

    assert (world.state.phase, world.state.attempt, world.weights()) == (Phase.ABORTED, 1, (100, 0))
    assert world.state.reason == Reason.REVISION_WITHDRAWN


def test_start_of_what_was_aborted_is_refused() -> None:
    """An aborted revision starts again only by retry."""
    world = aborted()
    world.tell("start", revision="2")

    assert _refusal(world) == (Refusal.ABORTED_BEFORE, "revision 2 was aborted; retry starts it again")


def test_retry_starts_the_aborted_revision_at_the_first_step() -> None:
    """After an abort, retry is another attempt for the same revision."""
    world = aborted()
    world.tell("retry")

    assert (world.state.attempt, world.state.step, world.state.revision, world.weights()) == (2, 1, "2", (95, 5))
    assert world.state.transitions[-1].reason == Reason.RETRIED


@pytest.mark.parametrize("action", ["start", "retry"])
def test_without_steps_nothing_can_be_started(action: str) -> None:
    """A Rollout whose steps are gone refuses to start."""
    world = aborted() if action == "retry" else at_rest()
    assert world.wanted is not None
    spec = world.wanted.spec.model_copy(update={"steps": (), "ramp": None})
    world.wanted = world.wanted.model_copy(update={"spec": spec})
    world.tell(action, **({"revision": "9"} if action == "start" else {}))

    assert _refusal(world) == (Refusal.NO_STEPS, "the Rollout has no steps")


# ---------------------------------------------------------------- pause, resume, skip, approve


def test_pause_stops_the_hold_time() -> None:
    """What was held before the pause counts; the pause does not."""
    world = under_way()
    world.look(after=30)
    world.tell("pause")
    world.look(after=3600)
    world.tell("resume")
    world.look()

    assert world.state.hold.at(world.now) == 30
    assert world.state.phase is Phase.PROGRESSING


def test_a_paused_attempt_stays_where_it_is() -> None:
    """However long a pause lasts, the weights stay."""
    world = under_way()
    world.tell("pause")
    world.look(after=24 * 3600)

    assert (world.state.phase, world.weights()) == (Phase.PAUSED, (95, 5))


def test_skip_ends_the_hold_time_only() -> None:
    """The rest of the hold time is skipped; an approval is still needed."""
    world = under_way(steps=[{"weight": 5, "hold": "1h", "approval": True}, {"weight": 50, "hold": "1h"}])
    world.tell("skip")
    assert (world.state.step, world.state.reason) == (1, Reason.WAITING_FOR_APPROVAL)
    world.tell("approve")

    assert world.state.step == 2


def test_a_skip_is_for_this_step() -> None:
    """The next step has its whole hold time."""
    world = under_way(steps=[{"weight": 5, "hold": "1h"}, {"weight": 50, "hold": "1h"}])
    world.tell("skip")
    world.look(after=10)

    assert (world.state.step, world.state.reason) == (2, Reason.HOLDING)


def test_skip_before_the_first_step_is_refused() -> None:
    """Where no step has begun there is no hold time."""
    world = at_rest()
    world.endpoints[V2] = DOWN
    world.tell("start", revision="2")
    world.tell("skip")

    assert _refusal(world)[0] == Refusal.NO_STEPS


def test_an_approval_lets_the_step_be_left() -> None:
    """A step with an approval is left when it has come."""
    world = under_way(steps=[{"weight": 5, "approval": True}, {"weight": 50, "hold": "1h"}])
    world.look(after=3600)
    assert (world.state.step, world.state.reason) == (1, Reason.WAITING_FOR_APPROVAL)
    world.tell("approve", step=1)

    assert world.state.step == 2


def test_an_approval_for_another_step_is_refused() -> None:
    """What a person looked at is the step that is approved, and no later one."""
    world = under_way(steps=[{"weight": 5, "approval": True}, {"weight": 50, "approval": True}])
    world.tell("approve", step=2)

    assert _refusal(world) == (
        Refusal.BAD_ARGUMENT,
        "step 2 cannot be approved: the step is 1, which needs an approval",
    )


def test_an_approval_that_nobody_asked_for_is_refused() -> None:
    """A step without an approval cannot be approved."""
    world = under_way()
    world.tell("approve")

    assert _refusal(world) == (Refusal.BAD_ARGUMENT, "step 1 cannot be approved: the step is 1, which needs none")


# ---------------------------------------------------------------- promote, abort


def test_promote_goes_to_the_next_step_at_once() -> None:
    """In the middle of a long hold, promote is the next step."""
    world = under_way(steps=[{"weight": 5, "hold": "24h"}, {"weight": 50, "hold": "24h"}, {"weight": 80}])
    world.tell("promote")

    assert (world.state.step, world.weights()) == (2, (50, 50))
    assert world.state.transitions[-1].reason == Reason.PROMOTED_BY_COMMAND


def test_promote_after_the_last_step_goes_to_the_end() -> None:
    """At the last step, promote gives the canary all weight and the stable role."""
    world = under_way(steps=[{"weight": 5, "hold": "24h"}])
    world.tell("promote")
    world.look()

    assert (world.state.phase, world.state.stable, world.weights()) == (Phase.IDLE, V2, (0, 100))


def test_promote_fully_goes_to_the_end_from_anywhere() -> None:
    """With full, all steps that are left are skipped."""
    world = _promoted()

    assert (world.state.stable, world.weights(), world.state.stable_revision) == (V2, (0, 100), "2")


def test_promote_works_while_paused() -> None:
    """A pause is ended by a promotion."""
    world = under_way()
    world.tell("pause")
    world.tell("promote")

    assert (world.state.phase, world.state.step) == (Phase.PROGRESSING, 2)


@pytest.mark.parametrize(("endpoints", "age"), [(DOWN, 0.0), (UNKNOWN, UNSEEN_SECONDS)])
def test_nothing_is_promoted_to_a_canary_that_is_not_ready(endpoints: Endpoints, age: float) -> None:
    """Without a ready endpoint known, even a person cannot give it more weight."""
    world = at_rest()
    world.endpoints[V2] = DOWN
    world.tell("start", revision="2")
    world.endpoints[V2] = endpoints
    world.look(command=command("promote", at=world.now - age, full=True))

    assert _refusal(world) == (Refusal.NOT_READY, f"{V2} has no ready endpoint known")
    assert world.weights() == (100, 0)


def test_a_start_without_a_name_rolls_nothing_back() -> None:
    """The spec still names what stable runs: who names no revision did not ask for a rollback."""
    world = under_way()
    world.tell("start")

    assert _refusal(world)[0] == Refusal.AT_WORK
    assert world.state.phase is Phase.PROGRESSING


@pytest.mark.parametrize("action", ["promote", "undo"])
def test_a_command_waits_for_the_first_look(action: str) -> None:
    """Just after a restart nobody has seen the endpoints: the command waits until somebody has, and is done then."""
    world = under_way() if action == "promote" else _promoted()
    wanted, canary = command(action, at=world.now), world.state.canary
    world.endpoints[canary] = UNKNOWN
    before = world.look(command=wanted)

    assert (before.handled, before.transitions) == ((), ())
    assert before.next_at is not None
    assert before.next_at <= world.now + UNANSWERED_SECONDS

    world.endpoints[canary] = UP
    after = world.look(command=wanted, after=1)

    assert [(one.id, one.done) for one in after.handled] == [(wanted.id, True)]


def test_promote_after_edited_steps_goes_by_the_new_ones() -> None:
    """Steps that were shortened just before a promotion do not make it jump to the end."""
    plan = [{"weight": weight, "hold": "1h"} for weight in (5, 25, 60, 95)]
    world = under_way(steps=plan)
    world.tell("promote")
    assert world.weights() == (75, 25)
    world.wanted = rollout(steps=[{"weight": 5, "hold": "1h"}, {"weight": 50, "hold": "1h"}])
    world.tell("promote")

    assert world.weights() == (50, 50)


def test_an_abort_gives_everything_back_at_once() -> None:
    """All weight is on stable in the same pass."""
    world = under_way()
    world.tell("abort")

    assert world.weights() == (100, 0)
    world.look()
    assert (world.state.phase, world.state.aborted_revision) == (Phase.ABORTED, "2")


def test_a_person_may_abort_to_a_stable_that_is_down() -> None:
    """An ordered abort goes through although stable has no ready endpoint."""
    world = under_way()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.tell("abort")

    assert world.weights() == (100, 0)


def test_abort_while_paused_then_retry() -> None:
    """A paused attempt that is aborted and tried again begins at the first step."""
    world = under_way()
    world.tell("promote")
    world.tell("pause")
    world.tell("abort")
    world.look()
    world.tell("retry")

    assert (world.state.phase, world.state.step, world.weights()) == (Phase.PROGRESSING, 1, (95, 5))


# ---------------------------------------------------------------- undo, adopt


def test_undo_goes_back_to_the_previous_stable() -> None:
    """After a promotion, undo gives the backend before all weight and its role."""
    world = _promoted()
    world.tell("undo")
    world.look()

    assert (world.state.phase, world.state.reason) == (Phase.IDLE, Reason.UNDONE)
    assert (world.state.stable, world.weights(), world.state.stable_revision) == (V1, (100, 0), "1")


def test_an_undo_is_undone_once() -> None:
    """There is one step back and not two."""
    world = _promoted()
    world.tell("undo")
    world.look()
    world.tell("undo")

    assert _refusal(world) == (Refusal.NOTHING_TO_UNDO, "there is no promotion to undo")


def test_undo_needs_the_previous_stable() -> None:
    """A backend without a ready endpoint gets nothing back."""
    world = _promoted()
    world.endpoints[V1] = DOWN
    world.tell("undo")

    assert _refusal(world)[0] == Refusal.NOT_READY
    assert world.weights() == (0, 100)


def test_an_undo_can_be_aborted() -> None:
    """While the weights have not all gone back, an abort of the undo keeps the stable of now."""
    world = _promoted()
    world.lost = True
    world.tell("undo")
    assert world.state.phase is Phase.PROMOTING
    world.lost = False
    world.tell("abort")
    world.look()

    assert (world.state.stable, world.weights(), world.state.aborted_revision) == (V2, (0, 100), None)


@pytest.mark.parametrize("args", [{}, {"stable": "nobody"}])
def test_adopt_needs_one_of_the_pair(args: dict[str, object]) -> None:
    """The stable role goes to one of the two backends of the spec."""
    world = World()
    world.meddle(70, 30)
    world.look()
    world.tell("adopt", **args)

    assert _refusal(world) == (Refusal.BAD_ARGUMENT, f"stable must be one of {V1}, {V2}")


def test_adopt_is_refused_while_the_spec_is_invalid() -> None:
    """What cannot be read names no pair."""
    world = World()
    world.meddle(70, 30)
    world.look()
    world.wanted = None
    world.look(command=command("adopt", at=world.now, stable=V1), problems=("no policy",))

    assert not world.state.handled[-1].done
