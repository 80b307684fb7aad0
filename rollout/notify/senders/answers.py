"""What an answer of a sink means: the message was taken, may be taken later, never will be, or nothing ever will.

Pure; called by the senders with what the door brought back. The text of an answer is never repeated: servers like to
echo the address that was called, and with it the key in its path. Only words that a service is known to use, as read
by ``rollout.notify.senders.words``, are said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import assert_never

from rollout.errors import PermanentError, Unavailable
from rollout.notify.sending import MessageRefused, SinkBusy

MOST_SECONDS = 3600.0
LEAST_SECONDS = 0.1
UNSAID_SECONDS = 5.0
"""How long a sink is left alone that says "too many" and not until when."""

_LATER = frozenset({408, 409, 423, 425})
_REFUSED = frozenset({400, 413, 422})
_TOO_MANY = 429
_BUSY = 503


class Fate(StrEnum):
    """What becomes of a message."""

    TAKEN = "Taken"
    LATER = "Later"
    TOO_MANY = "TooMany"
    REFUSED = "Refused"
    NEVER = "Never"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``status``, the header Retry-After (empty: none), and the first bytes of the body."""

    status: int
    retry_after: str = ""
    body: bytes = b""

    @property
    def good(self) -> bool:
        """Return whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - 2xx


@dataclass(frozen=True, slots=True)
class Said:
    """What a body says: a ``word`` that may be shown (empty: none), and the fate where it is not that of the status."""

    word: str = ""
    fate: Fate | None = None


NOTHING = Said()


def fate_of(status: int) -> Fate:
    """Return what a status means where the body says nothing else."""
    if 200 <= status < 300:  # noqa: PLR2004 - 2xx
        return Fate.TAKEN
    if status == _TOO_MANY:
        return Fate.TOO_MANY
    if status in _LATER or status >= 500:  # noqa: PLR2004 - 5xx
        return Fate.LATER
    return Fate.REFUSED if status in _REFUSED else Fate.NEVER


def demand_taken(owner: str, answer: Answer, *, now: float, said: Said = NOTHING) -> None:
    """Return when the message was taken; ``now`` (Unix seconds) is for a Retry-After that is a date.

    Raises:
        SinkBusy: it wants to be left alone.
        Unavailable: it may work later.
        MessageRefused: it never takes this message.
        PermanentError: it takes none.
    """
    sentence = f"{owner} {_told(answer.status, said.word)}"
    fate = said.fate or fate_of(answer.status)
    match fate:
        case Fate.TAKEN:
            return
        case Fate.LATER | Fate.TOO_MANY:
            raise _later(sentence, fate, answer, now=now)
        case Fate.REFUSED:
            raise MessageRefused(f"{sentence}: it does not take this message")
        case Fate.NEVER:
            raise PermanentError(sentence)
        case _:
            assert_never(fate)


def seconds_asked(text: str, now: float) -> float | None:
    """Return for how long a Retry-After of ``text`` asks, 0.1 s to an hour; None when it cannot be read."""
    try:
        asked = float(text) if text.strip()[:1].isdigit() else _moment(text) - now
    except (ValueError, OverflowError):
        return None
    return min(max(asked, LEAST_SECONDS), MOST_SECONDS)


def _moment(text: str) -> float:
    found = parsedate_to_datetime(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _later(sentence: str, fate: Fate, answer: Answer, *, now: float) -> Unavailable:
    """Return an error that says the same each time: its words are recorded, and how long it is differs."""
    too_many = fate is Fate.TOO_MANY
    asked = seconds_asked(answer.retry_after, now) if too_many or answer.status == _BUSY else None
    if asked is not None:
        return SinkBusy(f"{sentence} and wants to be left alone for a while", seconds=asked)
    if too_many:
        return SinkBusy(f"{sentence} and does not say until when", seconds=UNSAID_SECONDS)
    return Unavailable(sentence)


def _told(status: int, word: str) -> str:
    redirect = ", a redirect, which is not followed" if 300 <= status < 400 else ""  # noqa: PLR2004 - 3xx
    return f"answered {status}{redirect}{f' ({word})' if word else ''}"
