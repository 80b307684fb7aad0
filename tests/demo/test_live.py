"""The demo drawn on a terminal."""

import io

import pytest
from rich.console import Console
from rich.live import Live

from rollout.demo.live import Screen, bar
from rollout.demo.scene import Scene
from tests.demo.builders import LEFT, a_failover, a_result, a_scene, a_stage, a_state, a_transition


def drawn(*looks: Scene, width: int = 120, height: int = 50, ended: bool = False) -> str:
    """Return what a screen of this size shows after looking at the scenes."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        screen = Screen(live)
        if ended:
            screen.ended(a_result())
        for scene in looks:
            screen.look(scene)
    paper = Console(file=io.StringIO(), width=width, height=height)
    with paper.capture() as written:
        paper.print(live.renderable)
    return written.get()


def test_picture_has_weights_evidence_and_the_reason() -> None:
    """One sees how much the canary gets, how much speaks against it, and why nothing or something happens."""
    text = drawn(a_scene(a_stage(state=a_state(), failed=8)))

    assert "stable blue v1" in text
    assert "10% of requests" in text
    assert "canary 8 of 137, stable 2 of 2849" in text
    assert "Progressing, step 1 of 4  Holding: 2.0s of 5s are over." in text
    assert "200 requests/s   8 failed   p50 20 ms, p99 60 ms" in text


def test_decisions_are_listed_with_their_sentences() -> None:
    """The log has the newest decisions."""
    text = drawn(a_scene(a_stage(state=a_state(transitions=[a_transition(n) for n in range(1, 21)]))))

    assert "StepStarted: Sentence 20 of shop." in text
    assert "Sentence 1 of shop." not in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 40), (200, 60)])
def test_picture_keeps_to_the_width(width: int, height: int) -> None:
    """No line is longer than the terminal is wide."""
    state = a_state(transitions=[a_transition(n) for n in range(1, 21)])
    text = drawn(a_scene(a_stage(state=state), a_stage("cart", state)), width=width, height=height)

    assert max(len(line) for line in text.splitlines()) <= width


def test_before_the_controller_is_there_it_says_so() -> None:
    """A service without a state is drawn too."""
    text = drawn(a_scene(a_stage(), act=None))

    assert "getting ready" in text
    assert "waiting for the controller" in text


def test_failover_is_seen_where_the_attempt_would_be() -> None:
    """A Rollout with a backup has a bar for it, and says why its traffic is away."""
    text = drawn(a_scene(a_stage(state=a_failover())))

    assert "backup backup" in text
    assert f"FailedOver  FailedOver: {LEFT}" in text
    assert "backup" not in drawn(a_scene(a_stage(state=a_state())))


def test_ended_acts_stay_on_the_screen() -> None:
    """The result of an act is seen during the next one."""
    text = drawn(a_scene(a_stage()), ended=True)

    assert "rolled back, 4.5 s after the first bad answer; 16 of 3200 requests failed" in text


@pytest.mark.parametrize(("share", "filled"), [(0.0, 0), (0.001, 1), (0.5, 10), (1.0, 20)])
def test_bar_shows_anything_above_zero(share: float, filled: int) -> None:
    """A weight of 1 in 1000 is still seen; 0 is empty."""
    assert bar(share, "green", 20).plain == "█" * filled + "░" * (20 - filled)
