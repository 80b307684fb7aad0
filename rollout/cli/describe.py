"""`rollout describe`: all about one Rollout, to read; failover is told by ``rollout.cli.describe_failover``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import typer

from rollout.cli.arguments import Name
from rollout.cli.connection import Connection, asks_server, key_of
from rollout.cli.running import ask

if TYPE_CHECKING:
    from rollout.api.models import CheckView, Document, Live, TransitionItem
    from rollout.cli.client import ApiClient

TRANSITIONS = 10
LOOKED_THROUGH = 100
"""So many transitions are looked through for failovers."""
WIDTH = 14


@asks_server
def describe(connection: Connection, name: Name) -> None:
    """Tell all about a Rollout: where it stands and why, weights, checks, health, plan, who was told, what happened."""
    key = key_of(name, connection)
    document, live, items = ask(connection, lambda api: _asked(api, key))
    typer.echo("\n".join(text(document, live, items, now=time.time())))


async def _asked(api: ApiClient, key: tuple[str, str]) -> tuple[Document, Live, list[TransitionItem]]:
    document, live = await api.rollout(*key), await api.live(*key)
    return document, live, (await api.history(*key, limit=LOOKED_THROUGH)).items


def text(document: Mapping[str, object], live: Live, items: list[TransitionItem], *, now: float) -> list[str]:
    """Return the lines of the description."""
    from rollout.cli.describe_failover import describe_failover
    from rollout.cli.gate_rows import describe_gates
    from rollout.cli.rows import summary_of
    from rollout.cli.sink_rows import describe_sinks
    from rollout.cli.texts import age
    from rollout.cli.transitions import table

    summary = summary_of(document, live)
    labels = " ".join(f"{name}={value}" for name, value in summary.labels.items())
    lines = [
        _field("Name", live.name),
        _field("Namespace", live.namespace),
        _field("Labels", labels),
        _field("Age", age(now - summary.created_at) if summary.created_at else ""),
        _field("Generation", str(summary.generation)),
        *(_field("Deleting", "yes") for _ in range(summary.deleting)),
        *_standing(live),
        *_weights(live),
        *_analysis(live),
        *describe_failover(live, items, now=now),
        *_lists(live),
        *describe_gates(live),
        *describe_sinks(live.notified, now=now),
    ]
    if items:
        lines += ["Transitions:", *(f"  {line}" for line in table(items[:TRANSITIONS], width=None))]
    return [line for line in lines if line]


def _field(name: str, value: str, *, indent: int = 0) -> str:
    from rollout.cli.texts import safe

    return f"{' ' * indent}{f'{name}:'.ljust(WIDTH - indent)} {safe(value) or '-'}"


def _standing(live: Live) -> Iterator[str]:
    from rollout.cli.outputs import COLOURS, painted
    from rollout.cli.texts import safe

    steps = ", ".join(f"{weight:g}%" for weight in live.steps)
    yield f"{'Phase:'.ljust(WIDTH)} {painted(safe(live.phase), COLOURS.get(live.phase)) or '-'}"
    yield _field("Reason", live.reason)
    yield _field("Message", live.message)
    yield _field("Attempt", str(live.attempt))
    yield _field("Revision", live.revision)
    yield _field("Step", f"{live.step} of {len(live.steps)}" if live.steps else "")
    yield _field("Plan", steps)
    if live.waiting is not None:
        yield _field("Waiting", f"{live.waiting.action} (id {live.waiting.id})")
    for problem in live.problems:
        yield _field("Problem", problem)


def _weights(live: Live) -> Iterator[str]:
    from rollout.cli.texts import safe

    yield "Backends:"
    roles = {live.stable: "stable", live.canary: "canary"}
    names = dict.fromkeys([*live.weights.intended, *live.weights.observed, *live.health])
    for name in names:
        intended, observed = live.weights.intended.get(name), live.weights.observed.get(name)
        health = live.health.get(name)
        ready = f", {health.ready} of {health.total} endpoints ready" if health is not None and health.known else ""
        weight = f"weight {intended if intended is not None else '-'}"
        other = f" (observed {observed})" if observed is not None and observed != intended else ""
        yield safe(f"  {name} ({roles.get(name, 'backup')}): {weight}{other}{ready}")
    yield _field("Effective", live.weights.effective)


def _analysis(live: Live) -> Iterator[str]:
    from rollout.cli.texts import safe, span

    if live.hold is not None:
        running = "" if live.hold.running else ", standing still"
        yield _field("Hold", f"{span(live.hold.seconds)} of {span(live.hold.of_seconds)}{running}")
    if live.requests is not None:
        yield _field("Requests", f"{live.requests.canary} of {live.requests.needed} judged in this attempt")
    if live.verdict is not None:
        yield _field("Verdict", f"{live.verdict} ({live.verdict_reason or '-'}): {live.verdict_message or '-'}")
    if live.checks:
        yield "Checks:"
        yield from (f"  {safe(_check(check))}" for check in live.checks)


def _check(check: CheckView) -> str:
    counts = f"canary {check.canary.bad}/{check.canary.total}, stable {check.stable.bad}/{check.stable.total}"
    evidence = f", evidence {check.share:.0%} of the limit" if check.limit else ""
    dry = " (dry run)" if check.dry_run else ""
    return f"{check.name}{dry}: {check.verdict} {check.reason}: {check.sentence} [{counts}{evidence}]"


def _lists(live: Live) -> Iterator[str]:
    from rollout.cli.texts import safe, span

    if live.missing:
        yield "Waits for:"
        for missing in live.missing:
            soon = f" (about {span(missing.seconds)})" if missing.seconds is not None else ""
            yield safe(f"  {missing.reason}: {missing.message}{soon}")
    if live.next_step_in_seconds is not None:
        yield _field("Next step", f"in about {span(live.next_step_in_seconds)}")
