"""What is told as one event with a count, and what as events of their own."""

from dataclasses import replace

import pytest

from rollout.kube.notices import Notice, event_name
from rollout.kube.series import OPEN_SECONDS, SeriesBook, renewed
from rollout.ports import Key

NOTICE = Notice(Key("shop", "checkout"), "u1", "transition 1", "NoEvidence", "no samples yet", "Holding", 1000.0)
AGAIN = replace(NOTICE, mark="transition 3", at=1060.0)


def test_what_says_the_same_again_is_counted() -> None:
    """Another transition with the same words, within ten minutes after the last."""
    book = SeriesBook()
    first = book.add(NOTICE)

    second = book.add(AGAIN)
    assert first is not None
    assert second is first
    assert (first.first, first.count, first.last_at) == (NOTICE, 2, 1060.0)


def test_what_was_told_already_is_not_counted() -> None:
    """The same transition, told twice."""
    book = SeriesBook()
    first = book.add(NOTICE)

    assert book.add(NOTICE) is None
    assert first is not None
    assert first.count == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(AGAIN, uid="u2"),
        replace(AGAIN, reason="NotReady"),
        replace(AGAIN, action="Stepping"),
        replace(AGAIN, message="12 samples of 50"),
        replace(AGAIN, warning=True),
        replace(AGAIN, at=NOTICE.at + OPEN_SECONDS),
        replace(AGAIN, at=NOTICE.at - 1.0),
    ],
    ids=["another Rollout", "reason", "action", "sentence", "type", "ten minutes later", "a clock that went back"],
)
def test_what_says_something_else_is_another_event(other: Notice) -> None:
    """Nothing that is new goes down in a count."""
    book = SeriesBook()
    first, second = book.add(NOTICE), book.add(other)

    assert first is not None
    assert second is not None
    assert (first.count, second.count, second.first) == (1, 1, other)


def test_the_series_that_was_silent_for_longest_is_forgotten_first() -> None:
    """Memory is bounded."""
    book = SeriesBook(most=2)
    others = [replace(NOTICE, uid=f"u{number}") for number in (2, 3)]
    for notice in (NOTICE, others[0], AGAIN, others[1]):
        book.add(notice)

    kept, gone = book.add(replace(AGAIN, mark="transition 5")), book.add(replace(others[0], mark="transition 9"))

    assert kept is not None
    assert gone is not None
    assert (kept.count, gone.count) == (3, 1)


def test_a_forgotten_series_begins_anew() -> None:
    """Its event could not be told."""
    book = SeriesBook()
    first = book.add(NOTICE)
    assert first is not None

    book.forget(first)

    second = book.add(NOTICE)
    assert second is not None
    assert second.count == 1
    book.forget(first)
    assert book.add(AGAIN) is second


def test_a_renewed_notice_has_a_name_of_its_own() -> None:
    """The API server keeps events for an hour, and may still know the old name."""
    book = SeriesBook()
    book.add(NOTICE)
    series = book.add(AGAIN)
    assert series is not None

    assert renewed(series) == AGAIN
    assert event_name(renewed(series)) != event_name(NOTICE)
