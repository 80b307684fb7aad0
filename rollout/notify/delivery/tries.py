"""One delivery: a few tries with growing, spread waits; what the sink refuses goes once more as plain text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from rollout.errors import RolloutError, TemporaryError, Unavailable
from rollout.notify.delivery.options import Options
from rollout.notify.message import Message
from rollout.notify.sending import MessageRefused, Sender, SinkBusy
from rollout.notify.sinks import Sink, SinkKind

log = structlog.get_logger(__name__)

LATE_SECONDS = 5.0
"""So much longer than a sink may take, a sender is waited for: it has a time limit of its own."""


class SenderFault(TemporaryError):
    """A sender failed as nobody expected: a mistake of ours, or of a library's."""


class Tries:
    """Makes deliveries to one sink."""

    def __init__(self, sender: Sender, sink: Sink, *, options: Options, chance: Callable[[], float]) -> None:
        """Send with ``sender`` to ``sink``; ``chance`` (0 to 1) spreads waits."""
        self._sender = sender
        self._seconds = sink.timeout
        self._is_program = sink.kind is SinkKind.CLOUD_EVENTS
        self._options = options
        self._chance = chance
        self._sink = sink.name
        self.failed: Callable[[RolloutError], None] = lambda _: None
        """Called with each try that failed."""

    async def deliver(self, message: Message, *, may: Callable[[], None]) -> str:
        """Return the thread that the sink named; ``may`` is asked before each try, and raises what ends it.

        Raises:
            Unavailable: it failed each time.
            MessageRefused: the sink does not take the message, not even as plain text, where people read it. A program
                has no use for that, and must not get another event under the same id.
            TemporaryError, PermanentError: as the sender says, or ``may``.
        """
        try:
            return await self._patiently(message, may)
        except MessageRefused:
            if self._is_program:
                raise
        except SenderFault:
            pass  # a mistake of ours, which need not be the message's
        return await self._patiently(message if self._is_program else replace(message, notices=()), may)

    async def once(self, message: Message) -> str:
        """Try once.

        Raises:
            TemporaryError, PermanentError: as the sender says.
        """
        try:
            async with asyncio.timeout(self._seconds + LATE_SECONDS):
                return await self._sender.send(message)
        except TimeoutError:
            error: RolloutError = Unavailable("no answer in time")
        except RolloutError as told:
            error = told
        except Exception as fault:  # noqa: BLE001 - whatever a library throws must not end the telling
            kind = type(fault).__name__  # and no more of it: its words may have the address in them
            log.error("a sender failed unexpectedly", sink=self._sink, error=kind)  # noqa: TRY400
            error = SenderFault(f"failed unexpectedly ({kind})")
        self.failed(error)
        raise error

    async def _patiently(self, message: Message, may: Callable[[], None]) -> str:
        tries = AsyncRetrying(
            stop=stop_after_attempt(self._options.attempts),
            wait=self._wait,
            retry=retry_if_exception(_is_worth_another),
            reraise=True,
        )
        thread: str = await tries(self._one_of, message, may)
        return thread

    async def _one_of(self, message: Message, may: Callable[[], None]) -> str:
        may()
        return await self.once(message)

    def _wait(self, state: RetryCallState) -> float:
        longest = min(self._options.longest_wait, self._options.first_wait * 2.0 ** (state.attempt_number - 1))
        return longest * (0.5 + 0.5 * self._chance())


def _is_worth_another(error: BaseException) -> bool:
    return isinstance(error, Unavailable) and not isinstance(error, SinkBusy)
