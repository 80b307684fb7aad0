"""The circuit: five failures open it, one message tries, and each failure after that doubles the wait."""

from hypothesis import given
from hypothesis import strategies as st

from rollout.notify.delivery.circuit import FAILURES, LONGEST_SECONDS, Circuit


def _failed(times: int, *, at: float = 0.0) -> Circuit:
    circuit = Circuit()
    for _ in range(times):
        circuit = circuit.failed(at, 1.0)
    return circuit


def test_four_failures_leave_it_closed() -> None:
    """Some bad luck is no reason to stop."""
    assert not _failed(FAILURES - 1).is_open(0.0)


def test_the_fifth_opens_it() -> None:
    """For ten seconds, after which one message goes."""
    circuit = _failed(FAILURES)

    assert circuit.is_open(9.9)
    assert circuit.is_on_trial(10.0)


def test_what_was_under_way_changes_nothing() -> None:
    """Failures that come while it is open do not keep it open for longer."""
    assert _failed(FAILURES + 3) == _failed(FAILURES)


def test_each_trial_that_fails_doubles_the_wait() -> None:
    """Up to five minutes."""
    circuit, now, waits = _failed(FAILURES), 0.0, list[float]()
    for _ in range(7):
        waits.append(circuit.until - now)
        now = circuit.until
        circuit = circuit.failed(now, 1.0)

    assert waits == [10, 20, 40, 80, 160, 300, 300]


def test_what_is_broken_is_left_alone_for_long() -> None:
    """A sink that says it takes nothing is not asked five times."""
    assert Circuit().broken(5.0, 1.0).until == 5.0 + LONGEST_SECONDS


@given(chance=st.floats(0, 1), failures=st.integers(5, 60))
def test_chance_spreads_the_wait(chance: float, failures: int) -> None:
    """By a fifth at most, and never beyond the longest."""
    circuit, now = Circuit(), 0.0
    for _ in range(failures):
        now = max(now, circuit.until)
        circuit = circuit.failed(now, chance)

    assert 8.0 <= circuit.until - now <= LONGEST_SECONDS
