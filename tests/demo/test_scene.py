"""The picture that spectators are shown."""

from dataclasses import replace

from rollout.demo.scene import sentence, standing
from rollout.engine.table import Phase
from rollout.failover.table import Stage as Standing
from tests.demo.builders import a_failover, a_scene, a_stage, a_state, a_transition


def test_transition_that_says_nothing_new_is_left_out() -> None:
    """When the weights of an abort are back, its sentence is not told a second time."""
    aborting = a_transition(2, Phase.ABORTING)
    aborted = replace(aborting, number=3, phase=Phase.ABORTED)
    scene = a_scene(a_stage(state=a_state(transitions=[a_transition(1), aborting, aborted])))

    assert [made.number for _, made in scene.decisions] == [1, 2]


def test_roles_come_from_the_controller() -> None:
    """After a swap, blue is the canary; without a state, blue is taken for stable."""
    swapped = a_stage(state=replace(a_state(), stable="shop-green"))

    assert (swapped.stable, swapped.canary) == ("shop-green", "shop-blue")
    assert (a_stage().stable, a_stage().canary) == ("shop-blue", "shop-green")


def test_reason_is_not_said_twice() -> None:
    """A sentence that begins with its reason stands alone."""
    assert sentence("Promoted", "Promoted: v2 is stable.") == "Promoted: v2 is stable."
    assert sentence("Holding", "3 s left.") == "Holding: 3 s left."


def test_transition_stands_where_failover_does() -> None:
    """While traffic is away that is what counts; back in Normal, and without failover, it is the phase."""
    assert standing(a_failover().transitions[0]) == "FailedOver"
    assert standing(a_failover(stage=Standing.NORMAL).transitions[0]) == "Idle"
    assert standing(a_transition(1)) == "Progressing"


def test_backup_is_there_when_it_is_asked_for() -> None:
    """Only a Rollout with failover has one."""
    assert (a_stage(state=a_failover()).backup, a_stage(state=a_state()).backup, a_stage().backup) == (
        "shop-backup", "", "",
    )  # fmt: skip
