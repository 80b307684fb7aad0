"""A stack that ends what a test opened, after the test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Give the stack."""
    async with AsyncExitStack() as opened:
        yield opened
