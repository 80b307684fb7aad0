"""What `rollout why` says of failover: what it waits for, what is typed to go on, and what the signals see.

Pure, as ``rollout.cli.why_text``, which has this among its parts.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from rollout.api.models import Live
from rollout.cli.failovers import HEALTH, countdown, health_rows, is_quiet, journey, standing, to_type
from rollout.cli.outputs import COLOURS
from rollout.cli.texts import safe

STYLES = {"Healthy": "green", "Unhealthy": "bold red", "Unknown": "yellow"}
"""The colour of each health."""


def failover_text(live: Live) -> Iterator[RenderableType]:
    """Yield where failover stands and all that it waits for; nothing while it is at home and ready."""
    found = live.failover
    if found is None or is_quiet(found):
        return
    yield Text()
    yield Text.assemble(
        ("Failover ", "bold"), (standing(found, live.at), f"bold {COLOURS.get(found.phase, '')}".strip())
    )
    rows: list[Text] = []
    is_told = (found.reason, found.message) == (live.reason, live.message)
    if found.phase != "Normal" and not is_told:
        rows.append(Text(safe(f"{found.reason}: {found.message}" if found.reason else found.message)))
    if soon := countdown(found):
        rows.append(Text(f"It goes on in {soon}.", style="cyan"))
    if found.journey is not None:
        rows.append(Text(f"It is on its way: {journey(found)}."))
    if not found.ready:
        rows.append(Text(safe(f"Not ready, {found.ready_reason}: {found.ready_message}"), style="yellow"))
    if command := to_type(live):
        rows.append(Text.assemble("A person is waited for: ", (safe(command), "bold")))
    grid = Table.grid(padding=(0, 1, 0, 0))
    for row in rows:
        grid.add_row(Text("  -", style="dim"), row)
    yield grid


def signals_text(live: Live) -> Iterator[RenderableType]:
    """Yield what each signal says of each backend."""
    found = live.failover
    if found is None or not any(each.signals for each in found.backends.values()):
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in HEALTH:
        table.add_column(title.title(), overflow="fold")
    for row in health_rows(found, live.at):
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    yield Text()
    yield table
