"""One life of a controller: what belongs to it, and how it ends.

A kill falls between two effects, before or after one of them takes place: every effect passes a boundary
there (``rollout.rehearsal.mortal``), and at the chosen one nothing of that controller goes on. What a dead
controller's tasks still try is not let through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from typing import Any, TypeVar

Subject = TypeVar("Subject")

_Work = Coroutine[Any, Any, Any] | Generator[Any, None, Any]

_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class Life:
    """The time from a controller's start to its end."""

    def __init__(self) -> None:
        self.died = asyncio.Event()
        self._dead = False
        self._boundaries_left: int | None = None
        self._tasks: dict[asyncio.Task[Any], None] = {}

    @property
    def dead(self) -> bool:
        """Return whether it is over."""
        return self._dead

    def begin(self, run: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Run the controller; every task that it makes belongs to this life."""
        token = _LIFE.set(self)
        try:
            return asyncio.get_running_loop().create_task(run())
        finally:
            _LIFE.reset(token)

    def own(self, task: asyncio.Task[Any]) -> None:
        """Count ``task`` to this life."""
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def doom(self, boundaries: int) -> None:
        """Let it end at a boundary: the next one (0) or a later one."""
        self._boundaries_left = boundaries

    async def boundary(self) -> None:
        """Pass, or end here.

        Raises:
            CancelledError: the life is over.
        """
        if self._dead:
            raise asyncio.CancelledError
        if self._boundaries_left == 0:
            self.end()
            await asyncio.get_running_loop().create_future()
        if self._boundaries_left is not None:
            self._boundaries_left -= 1

    def end(self) -> None:
        """End it now, wherever its tasks stand."""
        self._dead = True
        self.died.set()

    def bury(self) -> None:
        """Take away what is left of it."""
        self.end()
        for task in tuple(self._tasks):
            task.cancel()

    def while_it_lasts(self, listener: Callable[[Subject], None]) -> Callable[[Subject], None]:
        """Return a listener that hears nothing after the end."""

        def heard(subject: Subject) -> None:
            if not self._dead:
                listener(subject)

        return heard


def own_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Let every task that a controller makes on ``loop`` belong to the life that made it."""

    def make(loop: asyncio.AbstractEventLoop, coro: _Work, **options: Any) -> asyncio.Task[Any]:  # noqa: ANN401 - as asyncio has it
        task = asyncio.Task(coro, loop=loop, **options)
        life = _LIFE.get()
        if life is not None:
            life.own(task)
        return task

    loop.set_task_factory(make)
