"""Transitions as lines and as a table. Called by ``history``, ``events``, ``describe`` and ``watch``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rollout.api.models import TransitionItem
from rollout.cli import tables
from rollout.cli.outputs import ANSI, is_coloured
from rollout.cli.tables import Column
from rollout.cli.texts import safe

COLUMNS = (
    Column("NUMBER"),
    Column("AT"),
    Column("PHASE"),
    Column("STEP"),
    Column("WEIGHTS", gives=1),
    Column("REASON", gives=2),
    Column("MESSAGE", gives=3, least=40),
)
FAILOVER = Column("FAILOVER")
PHASE_AT, FAILOVER_AT = 2, 3
ROOMY = 140
"""A terminal that is narrower has weights without the names of their backends."""


def stamp(at: float) -> str:
    """Return a moment, given in Unix seconds, in UTC, as it stands in logs."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(at: float) -> str:
    """Return the time of day, in UTC, of a moment in Unix seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def weights(found: Mapping[str, int]) -> str:
    """Return weights as ``stable=90 canary=10``."""
    return safe(" ".join(f"{name}={weight}" for name, weight in found.items())) or "-"


def _short(found: Mapping[str, int]) -> str:
    """Return weights as ``90/10``, in their order."""
    return "/".join(str(weight) for weight in found.values()) or "-"


def table(items: Sequence[TransitionItem], *, width: int | None) -> list[str]:
    """Return the transitions as a table, cut to ``width`` where it is given; with failover where there was any."""
    with_failover = any(item.failover is not None for item in items)
    rows = [
        [
            str(item.number),
            stamp(item.at),
            safe(item.phase),
            *([safe(item.failover.phase) if item.failover is not None else "-"] if with_failover else []),
            str(item.step),
            weights(item.weights) if width is None or width >= ROOMY else _short(item.weights),
            safe(item.reason) or "-",
            safe(item.message),
        ]
        for item in items
    ]
    places = (PHASE_AT, FAILOVER_AT) if with_failover else (PHASE_AT,)
    colours = {(at, cell): ANSI[row[cell]] for at, row in enumerate(rows) for cell in places if row[cell] in ANSI}
    columns = (*COLUMNS[:FAILOVER_AT], FAILOVER, *COLUMNS[FAILOVER_AT:]) if with_failover else COLUMNS
    return tables.lines(columns, rows, width=width, colours=colours if is_coloured(sys.stdout) else None)


def line(namespace: str, name: str, item: TransitionItem) -> str:
    """Return one transition as a line of its own."""
    step = f" step {item.step}" if item.step else ""
    return safe(f"{stamp(item.at)} {namespace}/{name} {item.phase}{step} {item.reason}: {item.message}")
