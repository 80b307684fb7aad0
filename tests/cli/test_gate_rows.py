"""Gates and hooks to read: in `describe` and `why`."""

import pytest

from rollout.cli.gate_rows import describe_gates, refusals
from tests.cli.answers import BORN, live
from tests.cli.test_why import told


def gate(name: str = "ci", *, hook: str = "step", agrees: bool = True, message: str = "answered 200") -> object:
    """Return a gate that was asked ten seconds ago."""
    step = {"beforeStart": 0, "onRollback": 0}.get(hook, 2)
    return {
        "hook": hook,
        "name": name,
        "attempt": 3,
        "step": step,
        "agrees": agrees,
        "message": message,
        "at": BORN + 590,
        "tries": 1 if agrees else 3,
    }


NO = gate("load-test", hook="onStep", agrees=False, message="answered 503: busy\x1b[31m")


def test_describe_has_a_line_for_each() -> None:
    """When it was asked, what it said, and after how many calls; no terminal obeys it."""
    assert list(describe_gates(live(gates=[gate(), NO]))) == [
        "Gates:",
        "  GATE       OF                    AGREES  ASKED    TRIES  ANSWER",
        "  ci         step 2                yes     10s ago  1      answered 200",
        "  load-test  step 2, as it begins  no      10s ago  3      answered 503: busy\\x1b[31m",
    ]


@pytest.mark.parametrize(
    ("hook", "of"),
    [
        ("beforeStart", "the start"),
        ("onStep", "step 2, as it begins"),
        ("step", "step 2"),
        ("beforePromotion", "the promotion"),
        ("onRollback", "the rollback"),
        ("later", "later"),
    ],
)
def test_each_says_what_it_is_asked_about(hook: str, of: str) -> None:
    """One that a newer server knows is named as it is."""
    assert of in list(describe_gates(live(gates=[gate(hook=hook)])))[2]


def test_without_gates_nothing_is_said() -> None:
    """Neither in the one nor in the other."""
    assert (list(describe_gates(live())), refusals(live())) == ([], [])
    assert "Gates" not in told(live())


def test_why_names_those_that_do_not_agree() -> None:
    """With their answers; of the others nothing has to be known."""
    text = told(live(gates=[gate(), NO]))

    assert "Gates that do not agree:\n" in text
    assert "  - load-test, of step 2, as it begins, asked 10s ago: answered 503: busy\\x1b[31m." in text
    assert "ci" not in text.split("Gates that do not agree:")[1].split("\n")[1]
