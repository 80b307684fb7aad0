"""A status, a word and a Retry-After decide what becomes of a message."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from rollout.errors import PermanentError, RolloutError, Unavailable
from rollout.notify.senders.answers import Answer, Fate, Said, demand_taken, fate_of, seconds_asked
from rollout.notify.sending import MessageRefused, SinkBusy

NOW = 1_790_000_000.0


def error_of(answer: Answer, said: Said | None = None) -> RolloutError:
    """Return the error that an answer becomes."""
    with pytest.raises(RolloutError) as caught:
        demand_taken("sink team", answer, now=NOW, said=said or Said())
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_taken(status: int) -> None:
    """Whatever the body says."""
    assert fate_of(status) is Fate.TAKEN
    demand_taken("sink team", Answer(status, body=b"no"), now=NOW)


@pytest.mark.parametrize("status", [408, 409, 423, 425, 500, 501, 502, 503, 504, 599])
def test_what_may_pass_is_tried_later(status: int) -> None:
    """Time-outs and faults of the server say nothing about the message."""
    error = error_of(Answer(status))

    assert type(error) is Unavailable
    assert str(error) == f"sink team answered {status}"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_wrong_with_the_message_is_refused(status: int) -> None:
    """The sink takes others."""
    error = error_of(Answer(status))

    assert type(error) is MessageRefused
    assert str(error) == f"sink team answered {status}: it does not take this message"


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 406, 410, 411, 415, 418, 451])
def test_what_is_wrong_with_the_sink_is_for_good(status: int) -> None:
    """Somebody has to change its address, its token or its rights."""
    error = error_of(Answer(status))

    assert type(error) is PermanentError
    assert str(error) == f"sink team answered {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_for_good(status: int) -> None:
    """It is never followed, and says so."""
    error = error_of(Answer(status))

    assert type(error) is PermanentError
    assert str(error) == f"sink team answered {status}, a redirect, which is not followed"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("asked", "seconds"), [("7", 7.0), ("0.3", 0.3), ("0", 0.1), ("86400", 3600.0)])
def test_a_busy_sink_says_how_long(status: int, asked: str, seconds: float) -> None:
    """Seconds, a fraction too, and at most an hour."""
    error = error_of(Answer(status, retry_after=asked))

    assert isinstance(error, SinkBusy)
    assert error.seconds == seconds


@pytest.mark.parametrize(("after", "seconds"), [(90, 90.0), (-60, 0.1), (86_400, 3600.0)])
def test_a_busy_sink_says_until_when(after: float, seconds: float) -> None:
    """A date in the way of HTTP; one that has passed means now."""
    until = format_datetime(datetime.fromtimestamp(NOW + after, tz=UTC), usegmt=True)
    error = error_of(Answer(429, retry_after=until))

    assert isinstance(error, SinkBusy)
    assert error.seconds == seconds


def test_a_busy_sink_says_the_same_each_time() -> None:
    """Its words are recorded, which is not worth a write for every other number of seconds."""
    assert str(error_of(Answer(429, retry_after="7"))) == str(error_of(Answer(429, retry_after="3.877")))


@pytest.mark.parametrize("asked", ["", "soon", "-5", "1.2.3", "Mon, 99 Foo 2026 00:00:00 GMT", "9" * 400])
def test_too_many_without_a_time_is_a_short_pause(asked: str) -> None:
    """Also when the time cannot be read; an hour is the most in any case."""
    error = error_of(Answer(429, retry_after=asked))

    assert isinstance(error, SinkBusy)
    assert error.seconds == (3600.0 if asked.startswith("9") else 5.0)


def test_only_those_two_statuses_have_a_time() -> None:
    """Another one with Retry-After is tried as usual."""
    assert type(error_of(Answer(500, retry_after="60"))) is Unavailable


def test_503_without_a_time_is_tried_as_usual() -> None:
    """The circuit decides how long it is left alone."""
    assert type(error_of(Answer(503))) is Unavailable
    assert type(error_of(Answer(503, retry_after="later"))) is Unavailable


@pytest.mark.parametrize(
    ("fate", "kind"),
    [
        (Fate.LATER, Unavailable),
        (Fate.TOO_MANY, SinkBusy),
        (Fate.REFUSED, MessageRefused),
        (Fate.NEVER, PermanentError),
    ],
)
def test_a_word_outweighs_the_status(fate: Fate, kind: type[RolloutError]) -> None:
    """As of services that answer 200 or 400 whatever happened."""
    error = error_of(Answer(200), Said("a_word", fate))

    assert type(error) is kind
    assert "answered 200 (a_word)" in str(error)


def test_a_word_may_make_an_answer_good() -> None:
    """As that of a receiver that has had this id."""
    demand_taken("sink team", Answer(409), now=NOW, said=Said("had it", Fate.TAKEN))


def test_a_date_without_a_zone_is_meant_in_utc() -> None:
    """As old servers write it."""
    assert seconds_asked("Mon, 21 Sep 2026 13:33:20 -0000", NOW - 0) == pytest.approx(
        max(0.1, datetime(2026, 9, 21, 13, 33, 20, tzinfo=UTC).timestamp() - NOW)
    )
