"""What `rollout describe` says of failover: where it stands, health with evidence, drills, and the last failovers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollout.api.failover_models import FailoverView
from rollout.api.models import Live, TransitionItem
from rollout.cli import failovers, tables
from rollout.cli.outputs import COLOURS, painted
from rollout.cli.tables import Column
from rollout.cli.texts import safe, span

WIDTH = 14
INDENT = "  "
FAILOVERS = (Column("NUMBER"), Column("AT"), Column("TO"), Column("LASTED"), Column("CAUSE"))


def describe_failover(live: Live, items: Sequence[TransitionItem], *, now: float) -> Iterator[str]:
    """Yield the lines; none where there is no failover. ``items`` are transitions, newest first."""
    found = live.failover
    if found is None:
        return
    where = failovers.standing(found, now)
    yield f"{'Failover:'.ljust(WIDTH)} {painted(where, COLOURS.get(found.phase))}"
    for title, text in _fields(live, found, now):
        yield f"{INDENT}{f'{title}:'.ljust(WIDTH - len(INDENT))} {safe(text) or '-'}"
    rows = list(failovers.health_rows(found, now))
    yield f"{INDENT}Health:"
    yield from (f"{INDENT * 2}{line}" for line in tables.lines([Column(title) for title in failovers.HEALTH], rows))
    past = failovers.failovers(items)
    if past:
        yield f"{INDENT}Failovers:"
        rows = failovers.failover_rows(past, now)
        yield from (f"{INDENT * 2}{line}" for line in tables.lines(FAILOVERS, rows))


def _fields(live: Live, found: FailoverView, now: float) -> Iterator[tuple[str, str]]:
    yield "Reason", found.reason
    yield "Message", found.message
    yield "Mode", f"{found.mode}, {found.strategy}"
    yield "Ready", "yes" if found.ready else f"no, {found.ready_reason}: {found.ready_message}"
    if found.journey is not None:
        yield "Way", failovers.journey(found)
    if soon := failovers.countdown(found):
        yield "Goes on in", soon
    if command := failovers.to_type(live):
        yield "Type", command
    if found.cause:
        yield "Cause", ", ".join(found.cause)
    damping = found.damping
    yield "Counted", f"{damping.counted} of {damping.most} failovers within {span(damping.per_seconds)}"
    yield from failovers.drills(found, now)
