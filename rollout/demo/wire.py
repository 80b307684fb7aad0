"""How the demo's programs speak with the demo: lines of JSON on standard input and output.

Used inside the programs (``service``, ``load``); the other end is ``rollout.demo.children``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping


def say(message: Mapping[str, object]) -> None:
    """Write one line to standard output, at once."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def orders() -> AsyncIterator[Mapping[str, object]]:
    """Give the lines of standard input until it ends, which it does when the demo ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)
