"""What tests of the senders share: senders that are closed at the end, whatever happens."""

from collections.abc import AsyncIterator, Callable

import pytest

from rollout.clock import SystemClock
from rollout.notify.senders.make import make_sender
from rollout.notify.sending import Sender
from tests.notify.senders.messages import sink

Making = Callable[..., Sender]


@pytest.fixture
async def make() -> AsyncIterator[Making]:
    """Return what makes a sender of a kind, with the fields of its sink."""
    made: list[Sender] = []

    def one(kind: str, **fields: object) -> Sender:
        made.append(make_sender(sink(kind, fields), clock=SystemClock()))
        return made[-1]

    yield one
    for sender in made:
        await sender.aclose()
