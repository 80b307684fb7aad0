"""Answers of the API server that hold for a short while, so that one question is not asked again with every request.

Whoever asks what somebody else is asking already waits for that answer. What failed is not kept, and told to all who
waited. Used by ``rollout.kube.access``; it knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from rollout.ports import Clock

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class Answers(Generic[Question, Answer]):
    """Answers by question; each is good for ``seconds``, and the oldest goes when there are more than ``most``."""

    def __init__(self, clock: Clock, *, seconds: float, most: int) -> None:
        """Begin without any."""
        self._clock = clock
        self._seconds = seconds
        self._most = most
        self._kept: dict[Question, tuple[Answer, float]] = {}
        self._asked: dict[Question, asyncio.Future[Answer]] = {}

    async def find(self, question: Question, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer that is kept, or that others are waiting for, or that ``ask`` gives.

        Raises:
            Exception: what ``ask`` raised, here or where it was asked for all who waited.
        """
        while True:
            kept = self._kept.get(question)
            if kept is not None and self._clock.monotonic() < kept[1]:
                return kept[0]
            asked = self._asked.get(question)
            if asked is None:
                return await self._ask(question, ask)
            await asyncio.wait([asked])
            if not asked.cancelled():
                return asked.result()

    async def _ask(self, question: Question, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask for all; who asks may be cancelled, and then one of those who waited asks."""
        told = self._asked[question] = asyncio.get_running_loop().create_future()
        try:
            answer = await ask()
        except Exception as error:
            told.set_exception(error)
            told.exception()  # it is raised here, whether anybody waits or not
            raise
        else:
            self._keep(question, answer)
            told.set_result(answer)
            return answer
        finally:
            told.cancel()
            del self._asked[question]

    def _keep(self, question: Question, answer: Answer) -> None:
        """Keep it, as the youngest."""
        self._kept.pop(question, None)
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[question] = answer, self._clock.monotonic() + self._seconds

    def __len__(self) -> int:
        """Return how many are kept, also those that are good no more."""
        return len(self._kept)
