"""What the controller lends to what runs beside its passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from rollout.controller.entry import Entry
from rollout.ports import Key


@dataclass(frozen=True, slots=True)
class Turns:
    """What the controller lends: ways to run something, to let passes be due, and to know whether we ``may`` act."""

    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    wake: Callable[[Key], None]
    due_in: Callable[[Entry, float], None]
    may: Callable[[Entry], bool]
    rollouts: Callable[[], int]
