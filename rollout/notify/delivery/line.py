"""The line to one sink: makes deliveries, says when it must be left alone, and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from rollout.errors import LeaseLost, PermanentError, RolloutError
from rollout.notify.delivery.circuit import Circuit
from rollout.notify.delivery.tally import Tally
from rollout.notify.delivery.tries import Tries
from rollout.notify.message import Message
from rollout.notify.sending import MessageRefused, SinkBusy
from rollout.ports import Clock

log = structlog.get_logger(__name__)

SHORTEST_BUSY_SECONDS, LONGEST_BUSY_SECONDS = 0.2, 3600.0
"""So long a sink is left alone that says it is busy, whatever it says."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery: it ``went`` to the sink, or is to be ``passed`` over, or is still owed.

    ``at`` is when it went (Unix seconds, 0: it did not), ``thread`` what the sink named, ``problem`` why it did not go.
    """

    went: bool = False
    passed: bool = False
    at: float = 0.0
    thread: str = ""
    problem: str = ""


class Line:
    """Sends messages to one sink, and knows whether more may be sent."""

    def __init__(self, sink: str, tries: Tries, *, clock: Clock, chance: Callable[[], float]) -> None:
        """Deliver by ``tries`` to the sink with this name; ``chance`` (0 to 1) spreads how long it is left alone."""
        self._sink = sink
        self._tries = tries
        tries.failed = self._failed
        self._clock = clock
        self._chance = chance
        self._circuit = Circuit()
        self._busy_until = 0.0
        self.tally = Tally()

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._clock.monotonic()

    def closed_seconds(self) -> float:
        """Return for how long nothing may be sent (0: it may)."""
        return max(0.0, max(self._circuit.until, self._busy_until) - self._clock.monotonic())

    def is_on_trial(self) -> bool:
        """Return whether one message at a time may go."""
        return self._circuit.is_on_trial(self._clock.monotonic())

    async def deliver(self, message: Message, may: Callable[[], None]) -> Outcome:
        """Deliver the message; before each try ``may`` is asked, which raises LeaseLost when it is not ours to tell."""
        try:
            thread = await self._tries.deliver(message, may=lambda: self._may(may))
        except LeaseLost:
            return Outcome()
        except MessageRefused as error:
            log.warning("a sink refused a message", sink=self._sink, kind=message.kind.value, why=str(error))
            return Outcome(passed=True)
        except RolloutError as error:
            self._leave_alone(error)
            return Outcome(problem=str(error))
        return Outcome(went=True, at=self._delivered(message), thread=thread)

    async def trial(self, message: Message) -> None:
        """Send the message at once, whatever speaks against it; what was closed is open when it is delivered.

        Raises:
            TemporaryError, PermanentError: it was not delivered.
        """
        await self._tries.once(message)
        self._delivered(message)

    def stumbled(self) -> None:
        """Take note of a mistake of ours, as of a delivery that failed: not to make it over and over."""
        self._open(self._circuit.failed(self._clock.monotonic(), self._chance()), "a mistake of ours")

    def _may(self, may: Callable[[], None]) -> None:
        left = self._busy_until - self._clock.monotonic()
        if left > 0:
            raise SinkBusy("the sink wants to be left alone", seconds=left)
        may()

    def _failed(self, error: RolloutError) -> None:
        self.tally.refused(self._clock.now(), str(error))

    def _delivered(self, message: Message) -> float:
        if self._circuit.openings:
            log.info("a sink takes messages again", sink=self._sink)
        self._circuit = Circuit()
        at = self._clock.now()
        self.tally.took(at, folded=message.more)
        return at

    def _leave_alone(self, error: RolloutError) -> None:
        """Send nothing for as long as the sink says, or as its failures say."""
        now = self._clock.monotonic()
        if isinstance(error, SinkBusy):
            seconds = min(max(error.seconds, SHORTEST_BUSY_SECONDS), LONGEST_BUSY_SECONDS)
            self._busy_until = max(self._busy_until, now + seconds)
        elif isinstance(error, PermanentError):
            self._open(self._circuit.broken(now, self._chance()), str(error))
        else:
            self._open(self._circuit.failed(now, self._chance()), str(error))

    def _open(self, circuit: Circuit, why: str) -> None:
        before, self._circuit = self._circuit, circuit
        if circuit.until > before.until:
            seconds = round(circuit.until - self._clock.monotonic(), 1)
            log.warning("a sink is left alone", sink=self._sink, why=why, for_seconds=seconds)
