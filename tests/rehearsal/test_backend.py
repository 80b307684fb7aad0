"""Facts about the words in which a backend's behaviour is written."""

import pytest

from rollout.rehearsal.backend import Backend, BackendChange, parse_probe, parse_ready, parse_share


@pytest.mark.parametrize(("text", "ready"), [("4/4", (4, 4)), ("0/4", (0, 4)), ("0/0", (0, 0))])
def test_ready_is_written_with_a_slash(text: str, ready: tuple[int, int]) -> None:
    """The first number is ready, the second is all."""
    assert parse_ready(text) == ready


@pytest.mark.parametrize("given", ["5/4", "4", "a/b", 4, None, "1/1001", "-1/2"])
def test_what_cannot_be_ready_is_refused(given: object) -> None:
    """More ready than there are, too many, and other texts are errors."""
    with pytest.raises(ValueError, match=r"must be|has"):
        parse_ready(given)


@pytest.mark.parametrize(("given", "share"), [("5%", 0.05), ("0%", 0.0), (0, 0.0)])
def test_a_share_is_a_percentage(given: object, share: float) -> None:
    """A bare 0 is one too, because it can mean nothing else."""
    assert parse_share(given) == share


@pytest.mark.parametrize("given", [0.05, 5, "5", True, False])
def test_a_bare_number_is_no_share(given: object) -> None:
    """Nobody can know whether 5 is a percentage."""
    with pytest.raises(ValueError, match="percentage"):
        parse_share(given)


@pytest.mark.parametrize(("given", "answer"), [("ok", "ok"), (500, "500"), ("timeout", "timeout")])
def test_a_probe_meets_an_answer(given: object, answer: str) -> None:
    """A word or an HTTP status."""
    assert parse_probe(given) == answer


@pytest.mark.parametrize("given", ["good", 99, 600, True, None])
def test_other_probe_answers_are_refused(given: object) -> None:
    """What no probe can meet is an error."""
    with pytest.raises(ValueError, match="not an answer"):
        parse_probe(given)


def test_a_change_leaves_the_rest() -> None:
    """Only the fields that a change names become others, also inside the latency."""
    before = Backend.model_validate({"ready": "4/4", "errors": "1%", "latency": {"p50": "40ms", "p99": "300ms"}})
    change = BackendChange.model_validate({"errors": "5%", "latency": {"p99": "900ms"}})
    after = change.applied_to(before)

    assert after == Backend.model_validate({"ready": "4/4", "errors": "5%", "latency": {"p50": "40ms", "p99": "900ms"}})
