"""The line to one sink: makes deliveries, says when it must be left alone, and counts."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace

import structlog

from rollout.errors import LeaseLost, PermanentError, RolloutError
from rollout.notify.delivery.circuit import Circuit
from rollout.notify.delivery.mistakes import log_mistake
from rollout.notify.delivery.tally import Tally
from rollout.notify.delivery.tries import Tries
from rollout.notify.message import Message
from rollout.notify.sending import MessageRefused, SinkBusy
from rollout.ports import Clock, Key

log = structlog.get_logger(__name__)

SHORTEST_BUSY_SECONDS, LONGEST_BUSY_SECONDS = 0.2, 3600.0
"""So long a sink is left alone that says it is busy, whatever it says."""

MOST_DOUBTED = 100


@dataclass(frozen=True, slots=True)
class Doubt:
    """A message with which the sink said that it takes nothing; ``unjust``: it took others that were sent later."""

    message: str
    unjust: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery: it ``went`` to the sink, or was ``refused`` for good, or is still owed.

    ``broken``: the sink said that it takes nothing. ``at`` is when it went (Unix seconds, 0: it did not), ``thread``
    what the sink named, ``problem`` why it did not go.
    """

    went: bool = False
    refused: bool = False
    broken: bool = False
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
        self._doubts = dict[Key, Doubt]()
        self.tally = Tally()

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._clock.monotonic()

    def closed_seconds(self) -> float:
        """Return for how long nothing may be sent (0: it may)."""
        return max(0.0, max(self._circuit.until, self._busy_until) - self._clock.monotonic())

    @property
    def doubted(self) -> Container[Key]:
        """Return the Rollouts of whose messages it is not known whether they, or the sink, are to blame."""
        return self._doubts

    def is_on_trial(self) -> bool:
        """Return whether one message at a time may go."""
        return self._circuit.is_on_trial(self._clock.monotonic())

    async def deliver(self, message: Message, may: Callable[[], None]) -> Outcome:
        """Deliver the message; before each try ``may`` is asked, which raises LeaseLost when it is not ours to tell."""
        before = dict(self._doubts)
        try:
            thread = await self._tries.deliver(message, may=lambda: self._may(may))
        except LeaseLost:
            return Outcome()
        except MessageRefused as error:
            return Outcome(refused=True, problem=str(error))
        except PermanentError as error:
            return self._broken(message, str(error))
        except SinkBusy as error:
            self._leave_alone(error)
            return Outcome(problem="the sink wants to be left alone")  # how long, too, would be ever new words
        except RolloutError as error:
            self._open(self._circuit.failed(self.now(), self._chance()), str(error))
            return Outcome(problem=str(error))
        return Outcome(went=True, at=self._delivered(message, before), thread=thread)

    async def trial(self, message: Message) -> None:
        """Send the message at once, whatever speaks against it; what was closed is open when it is delivered.

        Raises:
            TemporaryError, PermanentError: it was not delivered.
        """
        await self._tries.once(message)
        self._busy_until = 0.0
        self._delivered(message, {})

    def stumbled(self, error: Exception) -> None:
        """Take note of a mistake of ours, as of a delivery that failed: not to make it over and over."""
        log_mistake("telling failed", error, sink=self._sink)
        self.tally.refused(self._clock.now(), f"a mistake of ours ({type(error).__name__})")
        self._open(self._circuit.failed(self.now(), self._chance()), "a mistake of ours")

    def _may(self, may: Callable[[], None]) -> None:
        if self.closed_seconds() > 0:
            raise LeaseLost("the sink is left alone")
        may()

    def _failed(self, error: RolloutError) -> None:
        self.tally.refused(self._clock.now(), str(error))

    def _delivered(self, message: Message, before: Mapping[Key, Doubt]) -> float:
        """Take note that the message went; ``before`` are the doubts of when it was sent."""
        for key, doubt in before.items():
            if self._doubts.get(key) == doubt:
                self._doubts[key] = replace(doubt, unjust=True)
        if message.key is not None:
            self._doubts.pop(message.key, None)
        if self._circuit.openings:
            log.info("a sink takes messages again", sink=self._sink)
        self._circuit = Circuit()
        at = self._clock.now()
        self.tally.took(at, folded=message.folded)
        return at

    def _broken(self, message: Message, why: str) -> Outcome:
        """Leave a sink that takes nothing alone; but when only this message has it say so, the message is refused."""
        key = message.key
        if key is not None and self._doubts.pop(key, None) == Doubt(message.id, unjust=True):
            return Outcome(refused=True, problem=why)
        if key is not None and len(self._doubts) < MOST_DOUBTED:
            self._doubts[key] = Doubt(message.id)
        self._open(self._circuit.broken(self.now(), self._chance()), why)
        return Outcome(broken=True, problem=why)

    def _leave_alone(self, busy: SinkBusy) -> None:
        """Send nothing for as long as the sink says, and for longer when it says so again and again."""
        now = self.now()
        if now >= self._busy_until:  # what was under way with the first says nothing new
            self._open(self._circuit.failed(now, self._chance()), str(busy))
        seconds = min(max(busy.seconds, SHORTEST_BUSY_SECONDS), LONGEST_BUSY_SECONDS)
        self._busy_until = max(self._busy_until, now + seconds)

    def _open(self, circuit: Circuit, why: str) -> None:
        before, self._circuit = self._circuit, circuit
        if circuit.until > before.until:
            seconds = round(circuit.until - self._clock.monotonic(), 1)
            log.warning("a sink is left alone", sink=self._sink, why=why, for_seconds=seconds)
