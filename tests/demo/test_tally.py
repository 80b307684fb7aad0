"""Counting what clients saw."""

import json

import pytest

from rollout.demo.tally import NOBODY, Report, Seen, Tally, report_from_wire


def test_first_failure_is_kept_and_last_answer_moves() -> None:
    """The first answer and the first failed one are of interest; the last answer is the newest."""
    seen = Seen().with_answer(1.0, failed=False, slow=False)
    seen = seen.with_answer(2.0, failed=True, slow=False).with_answer(3.0, failed=True, slow=True)

    assert seen == Seen(3, 2, 1, first_failed_at=2.0, first_slow_at=3.0, last_at=3.0, first_at=1.0)


def test_tallies_add_up_by_backend() -> None:
    """Answers of the same backend add up, those of others stand beside them."""
    first = Tally(3, {"shop-blue": Seen(2, 0, 0, None, None, 1.0)}, 0.02, 0.05)
    later = Tally(2, {"shop-blue": Seen(1, 0, 0, None, None, 2.0), NOBODY: Seen(1, 1, 0, 2.5, None, 2.5)}, 0.03, 0.06)

    total = first + later

    assert (total.sent, total.answered, total.failed) == (5, 4, 1)
    assert total.of("shop-blue") == Seen(3, 0, 0, None, None, 2.0)
    assert total.first_failed_at == 2.5
    assert (total.p50_seconds, total.p99_seconds) == (0.03, 0.06)


def test_unknown_backend_has_seen_nothing() -> None:
    """A backend that never answered has a count of nothing, not an error."""
    assert Tally().of("shop-green") == Seen()
    assert Tally().first_failed_at is None


def test_report_survives_the_wire() -> None:
    """What the load program prints is what the demo reads."""
    tally = Tally(2, {"shop-blue": Seen(2, 1, 0, 5.0, None, 5.0)}, 0.02, 0.05)
    report = Report(4.0, 5.0, {"shop": tally})

    assert report_from_wire(json.loads(json.dumps(report.to_wire()))) == report


def test_line_of_another_shape_is_refused() -> None:
    """A report whose services are no object is an error."""
    with pytest.raises(TypeError, match="not an object"):
        report_from_wire({"since": 1, "until": 2, "services": [1]})
