"""The picture that `rollout watch` draws, as text."""

from collections.abc import Sequence
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.live import Live as Screen

from rollout.api.models import Live, TransitionItem
from rollout.cli.watch_picture import Picture, bar, picture
from rollout.cli.watching import Look
from tests.cli.answers import idle, live, transition


def drawn(look: Look, happened: Sequence[TransitionItem] = (), *, width: int = 100, height: int = 40) -> str:
    """Return the picture as text."""
    console = Console(record=True, width=width, height=height, file=StringIO(), force_terminal=True)
    console.print(picture(look, happened, width=width, height=height))
    return console.export_text()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_it_fits_the_terminal(width: int) -> None:
    """No line is longer, and phase and time are always there."""
    text = drawn(Look(live(name="a" * 100, revision="b" * 100), seconds=724), width=width)

    assert max(map(len, text.splitlines())) <= width
    assert "Progressing" in text
    assert "12m04s" in text


def test_weights_hold_requests_and_evidence_are_bars() -> None:
    """With their numbers beside them."""
    lines = drawn(Look(live())).splitlines()
    rows = {line.split("  ")[0].split(" █")[0].strip(): line for line in lines if "█" in line}

    assert list(rows) == ["stable checkout-v1", "canary checkout-v2", "hold", "requests", "evidence errors"]
    assert rows["stable checkout-v1"].rstrip().endswith("75%  8 of 8 ready")
    assert rows["hold"].rstrip().endswith("2m50s left of 5m00s")
    assert rows["requests"].rstrip().endswith("812 of 1000 judged, 12.3/s")


def test_what_it_waits_for_and_the_verdict_are_said() -> None:
    """In the server's sentences."""
    text = drawn(Look(live()))

    assert "Continue Nothing speaks against the canary so far." in text
    assert "waits for The hold time is not over. about 2m50s" in text
    assert "step 2 of 4: 5% 25% 50% 100%" in text


def test_without_an_attempt_there_is_little_to_draw() -> None:
    """Weights, and the sentence."""
    text = drawn(Look(idle()))

    assert "Promoted: checkout-v2 has the stable role." in text
    assert "hold" not in text
    assert "evidence" not in text


def test_a_server_that_is_away_is_said() -> None:
    """So that nobody takes what is old for new."""
    text = drawn(Look(live(), away="cannot reach http://x: Connection refused"))

    assert "cannot reach http://x: Connection refused; trying again. What stands above is older." in text


def test_a_small_terminal_shows_the_newest_transitions() -> None:
    """The oldest are cut."""
    happened = [transition(number, message=f"number {number}") for number in range(30, 0, -1)]
    text = drawn(Look(live()), happened, height=24)

    assert "number 30" in text
    assert "number 1\n" not in text


def test_problems_are_shown() -> None:
    """They are why nothing moves."""
    assert "spec.steps: there is no plan" in drawn(
        Look(live(phase="Invalid", problems=["spec.steps: there is no plan"]))
    )


@pytest.mark.parametrize("evil", ["\x1b]0;x\x07", "[red]x[/red]", "\u202e", "a\nb"])
def test_a_terminal_takes_no_orders(evil: str) -> None:
    """What others wrote is shown as it is written, markup included."""
    found = live(message=evil, name=evil, problems=[evil], verdictMessage=evil)
    text = drawn(Look(found, away=evil), [transition(message=evil)], width=300)

    assert all(char.isprintable() or char == "\n" for char in text)
    assert "[red]x[/red]" in text or "\\" in text


@given(st.floats(-1, 2), st.integers(1, 80))
def test_a_bar_has_its_width(share: float, width: int) -> None:
    """Whatever the share; what is above zero shows."""
    text = bar(share, "green", width).plain

    assert len(text) == width
    assert ("█" in text) is (share > 0)


def test_each_look_is_drawn_with_what_happened_before() -> None:
    """Newest first."""
    console = Console(width=100, height=40, file=StringIO(), force_terminal=True, record=True)
    with Screen(console=console, auto_refresh=False) as screen:
        spectator = Picture(screen)
        spectator.look(Look(live(), (transition(7, message="first"), transition(8, message="second"))))
        spectator.look(Look(live(), (transition(9, message="third"),)))
        console.clear()
    text = console.export_text().rpartition("waits for")[2]

    assert text.index("third") < text.index("second") < text.index("first")


def test_counts_of_nothing_are_no_share() -> None:
    """There is nothing to divide by."""
    found = Live.model_validate(live().model_dump() | {"hold": None, "requests": None})
    check = found.checks[0].model_copy(
        update={"canary": found.checks[0].canary.model_copy(update={"bad": 0, "total": 0})}
    )

    assert "canary 0/0, stable" in drawn(Look(found.model_copy(update={"checks": [check]})))
