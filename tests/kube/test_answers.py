"""Facts about answers that are kept for a while, whatever is asked."""

from __future__ import annotations

import asyncio

import pytest

from rollout.errors import Unavailable
from rollout.kube.answers import Answers
from tests.fakes.clock import FakeClock


class Oracle:
    """Counts the questions, and answers each when it may; ``faults`` come first."""

    def __init__(self) -> None:
        """Answer at once."""
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.faults: list[Exception] = []

    async def answer(self, question: str) -> str:
        """Return the question and its number."""
        self.asked.append(question)
        await self.open.wait()
        if self.faults:
            raise self.faults.pop(0)
        return f"{question}{len(self.asked)}"


@pytest.fixture
async def oracle() -> Oracle:
    """Return who answers."""
    return Oracle()


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


@pytest.fixture
def answers(clock: FakeClock) -> Answers[str, str]:
    """Return what keeps three answers for ten seconds."""
    return Answers(clock, seconds=10.0, most=3)


async def find(answers: Answers[str, str], oracle: Oracle, question: str) -> str:
    """Return the answer to the question."""
    return await answers.find(question, lambda: oracle.answer(question))


async def test_an_answer_holds_for_its_time(answers: Answers[str, str], oracle: Oracle, clock: FakeClock) -> None:
    """It is asked again at its end and not before, and then holds as long."""
    found = []
    for seconds in (0, 9.9, 0.1, 9.9, 0.1):
        clock.advance(seconds)
        found.append(await find(answers, oracle, "a"))

    assert found == ["a1", "a1", "a2", "a2", "a3"]


async def test_the_oldest_goes_when_there_are_too_many(answers: Answers[str, str], oracle: Oracle) -> None:
    """However many questions there are, so many answers are kept."""
    for question in "abcd":
        await find(answers, oracle, question)
    found = [await find(answers, oracle, question) for question in "bcda"]

    assert found == ["b2", "c3", "d4", "a5"]
    assert len(answers) == 3


async def test_an_answer_given_anew_is_young_again(
    answers: Answers[str, str], oracle: Oracle, clock: FakeClock
) -> None:
    """It then goes after those that were given before."""
    await find(answers, oracle, "a")
    clock.advance(5)
    await find(answers, oracle, "b")
    await find(answers, oracle, "c")
    clock.advance(5)
    await find(answers, oracle, "a")
    await find(answers, oracle, "d")
    found = [await find(answers, oracle, question) for question in "acd"]

    assert found == ["a4", "c3", "d5"]


async def test_who_comes_while_it_is_asked_waits_for_the_answer(answers: Answers[str, str], oracle: Oracle) -> None:
    """Other questions do not wait."""
    oracle.open.clear()
    asking = [asyncio.create_task(find(answers, oracle, question)) for question in "aaab"]
    await asyncio.sleep(0)
    oracle.open.set()
    found = await asyncio.gather(*asking)

    assert oracle.asked == ["a", "b"]
    assert [one[0] for one in found] == ["a", "a", "a", "b"]
    assert len(set(found)) == 2


async def test_what_fails_is_told_to_all_who_wait_and_not_kept(answers: Answers[str, str], oracle: Oracle) -> None:
    """Whoever comes later asks anew."""
    oracle.open.clear()
    oracle.faults = [Unavailable("away")]
    asking = [asyncio.create_task(find(answers, oracle, "a")) for _ in range(3)]
    await asyncio.sleep(0)
    oracle.open.set()
    told = await asyncio.gather(*asking, return_exceptions=True)
    later = await find(answers, oracle, "a")

    assert [str(one) for one in told] == ["away"] * 3
    assert later == "a2"


async def test_who_waited_asks_when_the_one_who_asked_is_gone(answers: Answers[str, str], oracle: Oracle) -> None:
    """A caller that hangs up takes nobody with it, and one of the others asks for all."""
    oracle.open.clear()
    asking = [asyncio.create_task(find(answers, oracle, "a")) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.wait(asking[:1])
    oracle.open.set()
    found = await asyncio.gather(*asking[1:])

    assert found == ["a2", "a2"]
    assert oracle.asked == ["a", "a"]


async def test_who_waits_and_hangs_up_stops_nothing(answers: Answers[str, str], oracle: Oracle) -> None:
    """The one who asked gets the answer."""
    oracle.open.clear()
    asking = [asyncio.create_task(find(answers, oracle, "a")) for _ in range(2)]
    await asyncio.sleep(0)
    asking[1].cancel()
    await asyncio.wait(asking[1:])
    oracle.open.set()

    assert await asking[0] == "a1"
