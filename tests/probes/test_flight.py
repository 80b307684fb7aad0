"""One probe on its way: what comes in time counts, and time in which this process stood still is nobody's fault."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from rollout.failover.probing import Answer
from rollout.probes.flight import Flight
from rollout.probes.pulse import BEAT_SECONDS, Pulse
from rollout.probes.said import STOOD_STILL, Said, Unsent

GOOD = Said(Answer.GOOD, "200")
LATE = Said(Answer.BAD, "timed out")


class Asking:
    """An asker that does what a test says."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask

    async def ask(self) -> Said:
        """Do it, and find the target well."""
        await self._ask()
        return GOOD

    async def aclose(self) -> None:
        """Nothing to close."""


async def flown(
    ask: Callable[[], Awaitable[None]], *, timeout_seconds: float, meanwhile: Callable[[], None] = lambda: None
) -> list[Said]:
    """Return how a probe landed; the loop is not ours in `meanwhile`, once it is on its way."""
    pulse, landed = Pulse(), asyncio.Event()
    said: list[Said] = []

    def land(answer: Said) -> None:
        said.append(answer)
        landed.set()

    pulse.start()
    flight = Flight(Asking(ask), pulse, timeout_seconds=timeout_seconds, land=land)
    await asyncio.sleep(0)
    meanwhile()
    await landed.wait()
    await asyncio.gather(flight.task, return_exceptions=True)
    pulse.stop()
    return said


async def _at_once() -> None:
    return


async def _never() -> None:
    await asyncio.Event().wait()


async def test_an_answer_lands() -> None:
    """Once."""
    assert await flown(_at_once, timeout_seconds=1) == [GOOD]


async def test_what_does_not_answer_in_time_is_bad() -> None:
    """Once, and whoever asks is told to stop."""
    assert await flown(_never, timeout_seconds=0.05) == [LATE]


async def test_what_had_not_been_sent_when_the_time_was_up_is_unsent() -> None:
    """A name server that is silent says nothing of the target."""

    async def looking_up() -> None:
        try:
            await _never()
        except asyncio.CancelledError as error:
            raise Unsent("no address") from error

    assert await flown(looking_up, timeout_seconds=0.05) == [Said(Answer.UNSENT, "no address")]


async def test_whoever_does_not_stop_is_not_waited_for_long() -> None:
    """His answer is nobody's any more."""

    async def stubborn() -> None:
        try:
            await _never()
        except asyncio.CancelledError:
            await asyncio.sleep(0.3)

    assert await flown(stubborn, timeout_seconds=0.05) == [LATE]


async def test_an_error_lands_as_what_it_says() -> None:
    """Whoever asked did not catch it."""

    async def refused() -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    assert await flown(refused, timeout_seconds=1) == [Said(Answer.BAD, "refused")]


async def test_nothing_is_known_after_this_process_stood_still_for_too_long() -> None:
    """Nobody can say what the target did meanwhile."""
    said = await flown(_never, timeout_seconds=0.05, meanwhile=lambda: time.sleep(0.2))

    assert said == [Said(Answer.UNSENT, STOOD_STILL)]


async def test_an_answer_that_lay_there_while_this_process_stood_still_is_none() -> None:
    """It may be as old as the pause."""
    opened = asyncio.Event()

    def stand_still() -> None:
        asyncio.get_running_loop().call_soon(opened.set)
        time.sleep(0.2)

    async def opening() -> None:
        await opened.wait()

    said = await flown(opening, timeout_seconds=0.05, meanwhile=stand_still)

    assert said == [Said(Answer.UNSENT, STOOD_STILL)]


async def test_time_in_which_this_process_stood_still_is_given_back() -> None:
    """Most of the time was lost here: an answer that comes after it, but within what was lost, is in time."""

    async def later() -> None:
        await asyncio.sleep(0.55)

    assert await flown(later, timeout_seconds=0.4, meanwhile=lambda: time.sleep(0.3)) == [GOOD]


async def test_what_is_given_back_has_an_end() -> None:
    """A target that is silent is bad all the same, though this process stood still for a part of the time."""
    assert await flown(_never, timeout_seconds=0.2, meanwhile=lambda: time.sleep(0.1)) == [LATE]


async def test_a_flight_that_is_cancelled_lands_no_more() -> None:
    """Its target is not wanted any more."""
    said: list[Said] = []
    flight = Flight(Asking(_never), Pulse(), timeout_seconds=0.01, land=said.append)
    flight.cancel()
    await asyncio.gather(flight.task, return_exceptions=True)
    await asyncio.sleep(0.03)

    assert not said


async def test_a_pulse_knows_since_when_it_stood_still() -> None:
    """What was before is not counted; a loop that runs loses nothing, and one that is not watched neither."""
    loop, pulse = asyncio.get_running_loop(), Pulse()
    before_start = pulse.stalled_since(0)
    pulse.start()
    began = loop.time()
    await asyncio.sleep(2 * BEAT_SECONDS)
    time.sleep(0.1)
    during = pulse.stalled_since(began)
    await asyncio.sleep(2 * BEAT_SECONDS)
    after = pulse.stalled_since(began)
    since = pulse.stalled_since(loop.time())
    pulse.stop()

    assert before_start == since == 0
    assert 0.05 <= during <= after + 0.001
