"""What is owed: the transitions after the cursor that pass, what is folded, and what is only skipped."""

from rollout.notify.delivery.filters import Rule
from rollout.notify.delivery.owed import Owed, owed
from tests.notify.delivery.world import transitions

MADE = tuple(transitions("Started", "StepStarted", "Aborted", "Started", "Promoted"))


def _numbers(found: Owed) -> list[int]:
    return [due.number for due in found.dues]


def test_what_comes_after_the_cursor_is_owed() -> None:
    """All of it, in order."""
    assert _numbers(owed(MADE, 2, Rule())) == [3, 4, 5]


def test_nothing_is_owed_at_the_end() -> None:
    """The cursor stays."""
    assert owed(MADE, 5, Rule()) == Owed(5)


def test_what_does_not_pass_is_skipped() -> None:
    """The cursor may go on to just before the first that is told."""
    found = owed(MADE, 0, Rule(asked=frozenset({"Aborted"})))

    assert (found.skipped, _numbers(found)) == (2, [3])


def test_when_nothing_passes_all_is_skipped() -> None:
    """The cursor goes to the end."""
    assert owed(MADE, 0, Rule(taken=frozenset({"Failed"}))) == Owed(5)
    assert owed(MADE[2:], 0, Rule(shut=True)) == Owed(5)


def test_what_is_not_kept_is_folded() -> None:
    """One thing stands for all of it."""
    found = owed(MADE[3:], 1, Rule())

    assert [(due.first, due.number, due.transition is None) for due in found.dues] == [
        (2, 3, True),
        (0, 4, False),
        (0, 5, False),
    ]
    assert found.skipped == 1


def test_a_loud_one_brings_those_before_it() -> None:
    """As order demands, and none after it."""
    found = owed(MADE, 1, Rule(loud=frozenset({"Aborted"})))

    assert [due.number for due in found.loud] == [2, 3]


def test_without_a_loud_one_nothing_is() -> None:
    """Quiet hours are quiet."""
    assert owed(MADE, 3, Rule(loud=frozenset({"Aborted"}))).loud == ()
