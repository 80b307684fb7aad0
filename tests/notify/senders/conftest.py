"""What tests of the senders share: senders that are closed at the end, whatever happens, and Apprise, loaded."""

import importlib.util
import warnings
from collections.abc import AsyncIterator, Callable

import pytest

from rollout.clock import SystemClock
from rollout.notify.senders.make import make_sender
from rollout.notify.sending import Sender
from tests.notify.senders.messages import sink
from tests.tools import require

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


@pytest.fixture(scope="session")
def apprise_loaded() -> None:
    """Load Apprise with all its plugins, some of which want modules that Python is about to drop."""
    require(importlib.util.find_spec("apprise"), "no apprise: install the extra `apprise`")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise  # noqa: PLC0415 - an extra, and seconds of imports

        assert apprise.Apprise().add(["json://127.0.0.1/"])
