"""The one thing that a sink must do: take a message. What becomes of a failure is ``rollout.notify.delivery``'s."""

from __future__ import annotations

from typing import Protocol

from rollout.errors import PermanentError, Unavailable
from rollout.notify.message import Message


class Sender(Protocol):
    """A sink's door; it tries once, within its time limit, and never waits for another try."""

    async def send(self, message: Message) -> str:
        """Deliver the message; return the thread to which later messages of the attempt belong (empty: none).

        No error has the address or a secret of the sink in it.

        Raises:
            Unavailable: it may work later, as when it hangs, is down, or is busy (``SinkBusy`` says how long).
            MessageRefused: the sink takes others, but never this message.
            PermanentError: the sink takes none as it is set up: unknown address, revoked token.
        """
        ...

    async def aclose(self) -> None:
        """End all connections."""
        ...


class SinkBusy(Unavailable):
    """The sink wants to be left alone for ``seconds`` (HTTP 429 or 503 with Retry-After; at most an hour counts)."""

    def __init__(self, message: str, *, seconds: float) -> None:
        """Say how long."""
        super().__init__(message)
        self.seconds = seconds


class MessageRefused(PermanentError):
    """The sink will never take this one message; it takes others."""
